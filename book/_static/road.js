// What is wider than its place scrolls, and the keyboard must be able to reach it. This is seen to when a section
// comes near, for until then it is not laid out.
addEventListener("load", function () {
  var watch = new ResizeObserver(function (boxes) {
    boxes.forEach(function (box) {
      box.target.tabIndex = box.target.scrollWidth > box.target.clientWidth ? 0 : -1;
    });
  });
  function see(selector) {
    document.querySelectorAll(selector).forEach(function (box) { watch.observe(box); });
  }
  see("article pre, div.math, .cell_output > .output, .pst-scrollable-table-container");
});

// An interactive figure is a pile of frames, one for each combination of its controls' values. Each control gets a
// slider, which moves one digit of the number of the frame that shows. Without a script the first frame is seen.
document.querySelectorAll(".ntk-explore").forEach(function (figure, place) {
  var frames = figure.querySelectorAll("[data-frame]");
  var controls = Object.entries(JSON.parse(figure.dataset.controls)).map(function (control, i) {
    var row = document.createElement("div"), id = "slider-" + place + "-" + i, labels = control[1];
    row.className = "ntk-control";
    row.innerHTML = `<label for="${id}"></label><input id="${id}" type="range" min="0" max="${labels.length - 1}"
      value="0" autocomplete="off"><output for="${id}"></output>`;
    row.querySelector("label").textContent = control[0];
    figure.append(row);
    return {labels: labels, input: row.querySelector("input"), output: row.querySelector("output")};
  });
  function show() {
    var shown = 0;
    controls.forEach(function (control) {
      var label = control.labels[control.input.value];
      shown = shown * control.labels.length + Number(control.input.value);
      control.input.setAttribute("aria-valuetext", label);
      control.output.textContent = label;
    });
    frames.forEach(function (frame, k) { frame.hidden = k !== shown; });
  }
  figure.addEventListener("input", show);
  figure.addEventListener("keydown", function (event) { event.stopPropagation(); });  // the theme turns pages
  show();
});
