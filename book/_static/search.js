// The search of search.html. BOOK, the sections to search, is made by tools/search.py; `Stemmer` and `stopwords`
// come with Sphinx. Of a word we keep two forms: spelled out, σ as sigma, and its stem with a tilde.
const stemmer = new Stemmer(), forms = new Map();
const common = new Set([...stopwords, ..."how what when where which who why can do does".split(" ")]);
const GREEK = ("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma " +
  "tau upsilon phi chi psi omega").split(" ");

// A word without accents, and Greek letters by their names: Θ̂ is Theta.
function spell(word) {
  return word.normalize("NFKD").replace(/\p{M}/gu, "").replace(/[α-ωΑ-Ω]/g, letter => {
    const small = letter.toLowerCase(), name = GREEK[small.charCodeAt(0) - "α".charCodeAt(0)];
    return letter == small ? name : name[0].toUpperCase() + name.slice(1);
  });
}

function formsOf(word) {
  if (!forms.has(word)) {
    const spelled = spell(word).toLowerCase();
    forms.set(word, [spelled.replace(/(..[^s])s$/, "$1"), "~" + stemmer.stemWord(spelled)]);
  }
  return forms.get(word);
}

// The words of a text with their places. What a hyphen or an index holds together is one word, too: σ_w is found
// as sigma, as w and as sigmaw; over-parameterized also as overparameterized.
function read(text) {
  const words = [];
  for (const {0: whole, index} of text.matchAll(/[\p{L}\p{M}\p{Nd}]+(?:[-_–][\p{L}\p{M}\p{Nd}]+)*/gu)) {
    const parts = whole.split(/[-_–]/), together = parts.length > 1 ? formsOf(parts.join("")) : [];
    parts.forEach((raw, i) => words.push({
      raw, parts: i ? [] : parts, forms: i ? formsOf(raw) : [...formsOf(raw), ...together],
      from: index, to: index + whole.length,
    }));
  }
  return words;
}

const phrase = (text, form = 1) => read(text).map(word => word.forms[form]);
const isCommon = word => common.has(word.raw.toLowerCase());
const synonyms = BOOK.synonyms.map(group => group.map(text => phrase(text)));
const vocabulary = new Set();
const sections = BOOK.sections.map(section => {
  const words = read(section.text);
  const fields = [[12, [section.title]], [8, section.terms], [4, section.bold]].flatMap(([weight, texts]) =>
    texts.map(text => ({weight, words: read(text)})));
  for (const field of fields)  // common words count little, but "It is not a posterior" is not about the posterior
    field.size = field.words.reduce((size, word) => size + (isCommon(word) ? 0.5 : 1), 0);
  for (const word of [words, ...fields.map(field => field.words)].flat())
    word.forms.forEach(form => vocabulary.add(form));
  return {...BOOK.pages[section.page], ...section, words, fields};
});
const meanLength = sections.reduce((sum, section) => sum + section.words.length, 0) / sections.length;

// What the table of letters knows of a symbol: its rows, and its names in code. Θ is not θ, but theta may mean both.
function explain(text) {
  const flat = symbol => spell(symbol).replace(/[_\s-]/g, ""), either = /^[a-z_ ]+$/.test(text);
  return BOOK.letters.flatMap(letter => letter.names.map(([symbol, name]) => ({letter, symbol: flat(symbol), name})))
    .filter(({symbol}) => symbol == flat(text) || either && symbol.toLowerCase() == flat(text));
}

// The terms of a query; a term is a list of phrases that stand for it, and how well they do.
function understand(query) {
  let words = read(query).filter(word => word.parts.length);
  if (!words.every(isCommon)) words = words.filter(word => !isCommon(word));
  const units = [];  // each with the ways to write it: sigma_w and "sigma w" as one word or two
  for (let i = 0; i < words.length; i++) {
    let parts = words[i].parts;
    if (vocabulary.has(formsOf(parts.at(-1) + words[i + 1]?.raw)[0])) parts = [...parts, ...words[++i].parts];
    const ways = [0, 1].flatMap(form => [[formsOf(parts.join(""))[form]], parts.map(part => formsOf(part)[form])]);
    units.push({text: parts.join("_"), ways});
  }
  // Where the phrase ends if it begins with unit i.
  const end = (i, rest) => !rest.length ? i : Math.max(0, ...(units[i]?.ways || []).map(way =>
    way.every((form, j) => form == rest[j]) ? end(i + 1, rest.slice(way.length)) : 0));

  const terms = [];
  for (let i = 0, next; i < units.length; i = next) {
    const {text, ways} = units[i], term = new Map();
    const add = (phrase, quality) => {
      const key = phrase.join(" ");
      term.set(key, {phrase, quality: Math.max(quality, term.get(key)?.quality || 0)});
    };
    next = Math.max(i + 1, ...synonyms.flat().map(same => end(i, same)));
    if (next == i + 1) {
      ways.forEach((way, k) => add(way, k < 2 ? 1 : 0.8));
      const begin = spell(text).toLowerCase();
      if (begin.length > 2)
        for (const word of vocabulary) if (word.startsWith(begin)) add([word], 0.5);
    } else add(units.slice(i, next).flatMap(unit => unit.ways.at(-1)), 1);
    if (next == i + 1) for (const {name} of explain(text)) if (name) add(phrase(name), 0.7);
    for (const group of synonyms)
      if (group.some(same => term.get(same.join(" "))?.quality >= 0.7))
        group.forEach(same => add(same, group.some(own => end(i, own) == next) ? 0.9 : 0.7));
    terms.push([...term.values()]);
  }
  return terms;
}

// How `words` match each term: the best quality, the sum over all places; and which words are part of a match.
function match(words, terms) {
  const covered = new Map();
  const found = terms.map((term, t) => {
    let best = 0, sum = 0;
    for (let i = 0; i < words.length; i++) {
      let here = 0;
      for (const {phrase, quality} of term)
        if (words[i].forms.includes(phrase[0]) && phrase.every((form, j) => words[i + j]?.forms.includes(form))) {
          here = Math.max(here, quality);
          phrase.forEach((_, j) => covered.set(i + j, t));
        }
      best = Math.max(best, here);
      sum += here;
    }
    return {best, sum};
  });
  return {found, covered};
}

// The sections that answer a query, the best first: those that match as many of its terms as any does.
function findSections(query) {
  const terms = understand(query);
  const results = sections.map(section => {
    const text = match(section.words, terms), best = text.found.map(({best}) => best);
    let named = 0;  // in the heading, or where something is defined, emphasized for the first time, or proved
    for (const {weight, words, size} of section.fields) {
      const {found, covered} = match(words, terms);
      found.forEach((one, t) => { best[t] = Math.max(best[t], one.best); });
      const quality = found.reduce((sum, {best}) => sum + best, 0) / terms.length;
      named = Math.max(named, weight * quality * Math.min(1, covered.size / size));
    }
    return {section, text, named, matched: best.filter(Boolean).length};
  });
  const most = Math.max(1, ...results.map(({matched}) => matched));
  const weights = terms.map((_, t) => {  // rare words count more
    const here = results.filter(({text}) => text.found[t].best).length;
    return Math.log(1 + sections.length / (1 + here));
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const inside = results.filter(({section}) => section.numbered && section.anchor);
  const firsts = terms.map((_, t) => {  // where each chapter says it first; its opening only announces
    const best = Math.max(...inside.map(({text}) => text.found[t].best)), pages = new Map();
    for (const result of inside)
      if (result.text.found[t].best == best && !pages.has(result.section.page))
        pages.set(result.section.page, result);
    return [...pages.values()];
  });
  for (const result of results) {
    const {section, text, named} = result, long = 0.4 + 0.6 * section.words.length / meanLength;
    const said = text.found.reduce((sum, {sum: times}, t) => sum + weights[t] / total *
      (4 * times / (times + 2 * long) + firsts[t].includes(result) + (firsts[t][0] == result)), 0);
    const called = /_/.test(query) && section.title.endsWith("." + query);  // a function, asked for by its name
    result.score = (named + said) * section.weight + 10 * called;
  }
  results.sort((a, b) => b.score - a.score);
  return {terms, most, results: results.filter(({matched}) => matched == most)};
}

// The part of a section's text that has most of the terms, from space to space. Of the list every second is a match.
function excerpt({section: {words, text: all}, text: {covered}}) {
  if (!words.length) return [""];
  const at = [...covered.keys()].sort((a, b) => a - b);
  let start = 0, most = 0;
  for (const i of at) {
    const near = at.filter(j => j >= i && j < i + 25);
    const value = 100 * new Set(near.map(j => covered.get(j))).size + near.length;
    if (value > most) [start, most] = [i, value];
  }
  const opens = i => !i || words[i - 1].raw != "al" && /[.?!]\s/.test(all.slice(words[i - 1].to, words[i].from));
  let first = start;
  while (!opens(first) && start - first < 20) first--;
  if (!opens(first)) first = start - 8;
  let place = all.lastIndexOf(" ", words[first].from) + 1;
  const space = all.indexOf(" ", Math.max(place + 240, words[start].to + 40));
  const end = space < 0 ? all.length : space, pieces = [opens(first) ? "" : "… "];
  for (const i of at) {
    const {from, to} = words[i];
    if (from < place || to > end) continue;
    const between = all.slice(place, from);
    if (pieces.length > 1 && between == " ") pieces[pieces.length - 2] += " " + all.slice(from, to);
    else {
      pieces[pieces.length - 1] += between;
      pieces.push(all.slice(from, to), "");
    }
    place = to;
  }
  pieces[pieces.length - 1] += all.slice(place, end) + (end < all.length ? " …" : "");
  return pieces;
}

// Words of the book that look like one that it does not have.
function similar(word) {
  const distance = (a, b) => {
    let row = Array.from({length: b.length + 1}, (_, j) => j);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++)
        next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] != b[j - 1])));
      row = next;
    }
    return row.at(-1);
  };
  const counts = new Map();
  for (const {raw} of sections.flatMap(section => section.words)) {
    const known = raw.toLowerCase();
    if (known.length > 3 && Math.abs(known.length - word.length) < 3) counts.set(known, (counts.get(known) || 0) + 1);
  }
  return [...counts].map(([known, count]) => ({known, count, far: distance(known, word.toLowerCase())}))
    .filter(({known, far}) => far <= Math.min(2, known.length / 3))
    .sort((a, b) => a.far - b.far || b.count - a.count).slice(0, 3).map(({known}) => known);
}

function element(name, content, attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...[content].flat());
  return made;
}

const SHOWN = 20;
function show(query) {
  const place = document.querySelector("#search-results"), status = place.querySelector("[role=status]");
  document.querySelectorAll("input[name=q]").forEach(input => { input.value = query; });
  if (!query) {
    status.textContent = "Search for words, for a symbol such as σ_w or sigma_w, or for the name of a function.";
    return;
  }
  document.title = `${query} - ${document.title}`;
  const {terms, most, results} = findSections(query), count = results.length;
  const link = (section, text) =>
    element("a", text, {href: section.url + (section.anchor && "#" + encodeURIComponent(section.anchor))});
  const found = `${count} ${count == 1 ? "section has" : "sections have"}`;
  status.textContent = (!count ? `Nothing found for “${query}”.`
    : most < terms.length ? `No section has all of “${query}”, ${found} part of it.` : `${found} “${query}”.`)
    + (count > SHOWN ? ` Here are the best ${SHOWN}.` : "");
  for (const {row, meaning, section} of new Set(explain(query).map(({letter}) => letter)))
    place.append(element("p", [
      element("strong", row), `: ${meaning} (`, link(sections[section], "table of letters"), ")",
    ]));
  const unknown = read(query).find(word => !word.forms.some(form => vocabulary.has(form)));
  const instead = unknown && (!count || most < terms.length) ? similar(unknown.raw) : [];
  if (instead.length)
    place.append(element("p", ["Did you mean", ...instead.flatMap(word => [" ", element("a", word, {
      href: "?q=" + encodeURIComponent(query.slice(0, unknown.from) + word + query.slice(unknown.to)),
    })]), "?"]));
  if (!count) place.append(element("p", "Try fewer words, or the beginning of one."));
  place.append(element("ul", results.slice(0, SHOWN).map(result => {
    const {section} = result, {number, title, anchor} = section, page = BOOK.pages[section.page].title;
    return element("li", [
      link(section, anchor ? `${number} ${title}` : page), anchor ? element("small", ` ${page}`) : "",
      element("p", excerpt(result).map((piece, i) => i % 2 ? element("mark", piece) : piece), {className: "context"}),
    ]);
  }), {className: "search"}));
}
show((new URLSearchParams(location.search).get("q") || "").trim());
