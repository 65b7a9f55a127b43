// The search of search.html. BOOK, the sections to search, is made by tools/search.py; `Stemmer` and `stopwords`
// come with Sphinx.
const stemmer = new Stemmer(), stemOf = new Map(), ignored = new Set(stopwords);
const GREEK = ("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma " +
  "tau upsilon phi chi psi omega").split(" ");

// A word in letters from a to z, without accents: Θ̂ is Theta, σ is sigma.
function spell(word) {
  return word.normalize("NFKD").replace(/\p{M}/gu, "").replace(/[α-ωΑ-Ω]/g, letter => {
    const name = GREEK[letter.toLowerCase().charCodeAt(0) - "α".charCodeAt(0)];
    return letter == letter.toLowerCase() ? name : name[0].toUpperCase() + name.slice(1);
  });
}

function stem(word) {
  if (!stemOf.has(word)) stemOf.set(word, stemmer.stemWord(spell(word).toLowerCase()));
  return stemOf.get(word);
}

// The words of a text with their places. What hyphens or indices hold together is also one word, without them:
// σ_w is sigma, w and sigmaw, and over-parameterized is found as overparameterized.
function read(text) {
  const words = [];
  for (const {0: whole, index} of text.matchAll(/[\p{L}\p{M}\p{Nd}]+(?:[-_–][\p{L}\p{M}\p{Nd}]+)*/gu)) {
    const parts = whole.split(/[-_–]/), place = {from: index, to: index + whole.length};
    parts.forEach((part, i) => words.push({raw: part, forms: [stem(part)], ...place, joined: i > 0}));
    if (parts.length > 1) words.at(-parts.length).forms.push(stem(parts.join("")));
  }
  return words;
}

// The places in `words` where the phrase, a list of stems, stands.
function places(words, phrase) {
  const found = [];
  for (let i = 0; i + phrase.length <= words.length; i++)
    if (phrase.every((part, j) => words[i + j].forms.includes(part))) found.push(i);
  return found;
}

const stems = text => read(text).map(word => word.forms[0]);
const symbolName = text => spell(text).replace(/[_\s]/g, "");
const groups = BOOK.synonyms.map(group => group.map(stems));
const vocabulary = new Set();
const sections = BOOK.sections.map((section, order) => {
  const text = read(section.text), fields = [];
  const add = (weight, title) => {
    const words = read(title);
    fields.push({weight, words, size: words.filter(word => !ignored.has(word.raw.toLowerCase())).length || 1});
  };
  add(12, section.title);
  section.terms.forEach(term => add(8, term));
  for (const {words} of [{words: text}, ...fields])
    for (const word of words) word.forms.forEach(form => vocabulary.add(form));
  return {...section, ...BOOK.pages[section.page], title: section.title, order, words: text, fields};
});
const meanLength = sections.reduce((sum, section) => sum + section.words.length, 0) / sections.length;

// What is asked for: a list of terms, each with the phrases that stand for it and how well they do.
function understand(query) {
  const words = read(query), terms = [];
  const asked = words.filter(word => !ignored.has(word.raw.toLowerCase()));
  const list = asked.length ? asked : words;
  for (let i = 0; i < list.length;) {
    const rest = list.slice(i), phrases = new Map();
    let length = 1;
    const add = (phrase, quality) => {
      const key = phrase.join(" ");
      if (!(phrases.get(key) >= quality)) phrases.set(key, quality);
    };
    const together = rest.length > 1 && stem(rest[0].raw + rest[1].raw);
    let compound = 1;
    while (rest[compound]?.joined) compound++;
    if (compound > 1) {  // over-parameterized, sigma_w
      length = compound;
      add([stem(rest.slice(0, compound).map(word => word.raw).join(""))], 1);
      add(rest.slice(0, compound).map(word => word.forms[0]), 0.9);
    } else if (vocabulary.has(together)) {  // sigma w
      length = 2;
      add([together], 1);
      add([rest[0].forms[0], rest[1].forms[0]], 0.9);
    }
    for (const group of groups) {
      for (const phrase of group)
        if (phrase.length >= length && places(rest.slice(0, phrase.length), phrase).length) {
          length = phrase.length;
          add(phrase, 1);
          group.forEach(other => add(other, 0.8));
        }
    }
    if (!phrases.size) add([rest[0].forms[0]], 1);
    const name = symbolName(rest.slice(0, length).map(word => word.raw).join(""));
    const anyCase = /^[a-z]+$/.test(rest[0].raw);
    for (const [symbol, meaning] of BOOK.symbols) {
      const known = symbolName(symbol);
      if (known == name || anyCase && known.toLowerCase() == name) {
        add(stems(meaning), 0.7);
        for (const group of groups)
          if (group.some(phrase => phrase.join(" ") == stems(meaning).join(" "))) group.forEach(other => add(other, 0.6));
      }
    }
    terms.push([...phrases].map(([key, quality]) => ({phrase: key.split(" "), quality})));
    if (length == 1 && rest[0].raw.length > 2) {  // the beginning of a word
      const begin = spell(rest[0].raw).toLowerCase();
      for (const word of vocabulary)
        if (word.startsWith(begin) && !phrases.has(word)) terms.at(-1).push({phrase: [word], quality: 0.5});
    }
    i += length;
  }
  return terms;
}

function match(words, terms) {
  const covered = new Set();
  const found = terms.map(term => {
    let best = 0, weight = 0;
    const at = [];
    for (const {phrase, quality} of term)
      for (const i of places(words, phrase)) {
        best = Math.max(best, quality);
        weight += quality;
        at.push(i);
        phrase.forEach((_, j) => covered.add(i + j));
      }
    return {best, weight, at};
  });
  return {found, covered};
}

// Sections that answer the query, the best first.
function findSections(query) {
  const terms = understand(query);
  if (!terms.length) return [];
  const results = sections.map(section => {
    const text = match(section.words, terms), best = text.found.map(({best}) => best);
    let named = 0;
    for (const {weight, words, size} of section.fields) {
      const field = match(words, terms);
      const quality = field.found.reduce((sum, {best}) => sum + best, 0) / terms.length;
      named = Math.max(named, weight * quality * Math.min(1, field.covered.size / size));
      field.found.forEach((one, i) => { best[i] = Math.max(best[i], one.best); });
    }
    return {section, text, named, all: best.filter(Boolean).length};
  });
  const most = Math.max(...results.map(result => result.all));
  if (!most) return [];
  const first = terms.map((_, i) => results.find(({section, text}) => section.numbered && text.found[i].best == 1));
  const rare = terms.map((_, i) =>
    Math.log(1 + sections.length / (1 + results.filter(({text}) => text.found[i].best).length)));
  const total = rare.reduce((sum, weight) => sum + weight, 0);
  return results.filter(({all}) => all == most).map(result => {
    const {section, text, named} = result, long = 0.4 + 0.6 * section.words.length / meanLength;
    const said = text.found.reduce((sum, {weight}, i) =>
      sum + rare[i] / total * (4 * weight / (weight + 2 * long) + 2 * (first[i] == result)), 0);
    return {section, text, score: (named + said) * (section.numbered ? 1 : 0.6)};
  }).sort((a, b) => b.score - a.score || a.section.order - b.section.order);
}
