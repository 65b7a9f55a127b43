(() => {
// An interactive figure shows its frame at the start, in which the parts that differ between frames are marked. The
// data beside it hold these parts and, for each combination of the controls' values, which of them stand where.
const figures = new Map();

function interactive(box, number) {
  const data = JSON.parse(box.querySelector("script").textContent), picture = box.querySelector(".panels");
  const places = [...box.querySelectorAll("[data-part]")], now = box.querySelector(".ntk-now");
  const at = data.controls.map(control => control.start);
  let before = data.frames[0].map(() => null);

  function show() {
    const frame = data.frames[at.reduce((sum, value, i) => sum * data.controls[i].labels.length + value, 0)];
    frame.forEach((part, i) => { if (part !== before[i] && before[i] !== null) put(places[i], data.parts[part]); });
    before = frame;
    now.textContent = data.controls.map((control, i) => `${control.name} ${control.labels[at[i]]}`).join(", ");
    picture.setAttribute("aria-label", `${data.seen} Now: ${now.textContent}.`);
    controls.forEach(control => control.show());
    hideTip();
  }
  function set(i, value, said = true) {
    at[i] = value;
    show();
    const id = box.closest("[id]")?.id, values = data.controls.map((control, k) => [control.key, control.labels[at[k]]]);
    if (id && said) history.replaceState(null, "", `#${id}?${new URLSearchParams(values)}`);
  }

  const panel = document.createElement("div");
  panel.className = "ntk-controls";
  const controls = data.controls.map((control, i) =>
    (control.slider ? slider : buttons)(panel, control, `control-${number}-${i}`, () => at[i], value => set(i, value)));
  picture.after(panel);
  box.classList.add("live");
  box.addEventListener("keydown", event => event.stopPropagation());  // the theme turns pages
  show();
  return function (values) {
    data.controls.forEach(function (control, i) {
      const value = control.labels.indexOf(values.get(control.key));
      if (value >= 0) at[i] = value;
    });
    show();
  };
}

function slider(panel, control, id, get, set) {
  const row = document.createElement("div"), last = control.labels.length - 1;
  row.className = "ntk-control";
  row.innerHTML = `<label for="${id}">${control.html}</label><input id="${id}" type="range" min="0" max="${last}"
    autocomplete="off"><output for="${id}"></output>`;
  const input = row.querySelector("input"), output = row.querySelector("output");
  input.addEventListener("input", () => set(Number(input.value)));
  if (last >= 3) row.append(player(control, get, set, last));
  panel.append(row);
  return {show() {
    input.value = get();
    output.textContent = control.labels[get()];
    input.setAttribute("aria-valuetext", control.labels[get()]);
  }};
}

// Goes through the values, from the first one if the last is shown.
function player(control, get, set, last) {
  const button = document.createElement("button");
  let timer = null;
  function stop() {
    clearInterval(timer);
    timer = null;
    button.setAttribute("aria-label", `Play ${control.name}`);
    button.classList.remove("playing");
  }
  button.type = "button";
  button.className = "ntk-play";
  button.addEventListener("click", function () {
    if (timer) return stop();
    button.setAttribute("aria-label", `Pause ${control.name}`);
    button.classList.add("playing");
    set(get() === last ? 0 : get() + 1);
    timer = setInterval(() => get() === last || !button.isConnected ? stop() : set(get() + 1), 900);
  });
  stop();
  return button;
}

function buttons(panel, control, id, get, set) {
  const group = document.createElement("fieldset");
  group.className = "ntk-control";
  group.innerHTML = `<legend>${control.html}</legend>` + control.labels.map((_, k) =>
    `<input type="radio" name="${id}" id="${id}-${k}" autocomplete="off"><label for="${id}-${k}"></label>`).join("");
  const inputs = [...group.querySelectorAll("input")];
  group.querySelectorAll("label").forEach((label, k) => { label.textContent = control.labels[k]; });
  inputs.forEach((input, k) => input.addEventListener("change", () => set(k)));
  panel.append(group);
  return {show() { inputs[get()].checked = true; }};
}

// A path that stays a path keeps its element: the style sheet lets its shape pass from one to the other.
function put(place, markup) {
  const fresh = document.createElementNS("http://www.w3.org/2000/svg", "g"), old = place.firstElementChild;
  fresh.innerHTML = markup;
  const next = fresh.firstElementChild;
  if (next?.tagName !== "path" || old?.tagName !== "path") return place.replaceChildren(...fresh.children);
  old.getAttributeNames().filter(name => !next.hasAttribute(name)).forEach(name => old.removeAttribute(name));
  next.getAttributeNames().forEach(name => old.setAttribute(name, next.getAttribute(name)));
}

// A page can be linked to at a frame: #fig-name?width=512
function follow() {
  const [id, values] = location.hash.slice(1).split("?"), place = document.getElementById(id);
  const box = values && place?.querySelector(".ntk-explore");
  if (!box) return;
  figures.get(box)(new URLSearchParams(values));
  place.scrollIntoView();
}
addEventListener("hashchange", follow);

// Pointing at a curve shows its name and where it is there.
let tip = null, dot = null;
function hideTip() {
  tip?.remove();
  dot?.remove();
}
function point(event) {
  const svg = event.target.closest?.(".panels > svg");
  hideTip();
  if (!svg) return;
  const matrix = svg.getScreenCTM(), scales = JSON.parse(svg.dataset.scales);
  const here = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
  let best = {distance: 20 / matrix.a};
  svg.querySelectorAll("path[data-name]").forEach(function (path) {
    let x = 0, y = 0;
    const [x0, x1, y1, y0] = [scales.x[3], scales.x[4], scales.y[3], scales.y[4]];
    for (const [, dx, dy] of path.getAttribute("d").matchAll(/(-?[\d.]+)[ ]?(-?[\d.]+)/g)) {
      [x, y] = [x + Number(dx), y + Number(dy)];
      const distance = Math.hypot(x - here.x, y - here.y);
      if (distance < best.distance && x >= x0 - 1 && x <= x1 + 1 && y >= y0 - 1 && y <= y1 + 1)
        best = {distance, x, y, name: path.dataset.name};
    }
  });
  if (!best.name) return;
  dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  for (const [key, value] of Object.entries({cx: best.x, cy: best.y, r: 4, class: "ntk-dot"})) dot.setAttribute(key, value);
  svg.append(dot);
  tip = document.createElement("div");
  tip.className = "ntk-tip";
  tip.textContent = `${best.name}: ${number(scales.x, best.x)}, ${number(scales.y, best.y)}`;
  const frame = svg.parentElement.getBoundingClientRect();
  const corner = new DOMPoint(best.x, best.y).matrixTransform(matrix);
  tip.style.left = `${Math.min(corner.x - frame.x + 10, frame.width - 150)}px`;
  tip.style.top = `${corner.y - frame.y - 34}px`;
  svg.parentElement.append(tip);
}
function number([kind, from, to, start, end], place) {
  const share = (place - start) / (end - start);
  const value = kind === "log" ? from * (to / from) ** share : from + (to - from) * share;
  return Number(value.toPrecision(3)).toLocaleString("en", {maximumSignificantDigits: 3, useGrouping: false});
}
document.addEventListener("pointermove", point);
document.addEventListener("pointerdown", point);

document.querySelectorAll(".ntk-explore").forEach((box, number) => figures.set(box, interactive(box, number)));
follow();
})();
