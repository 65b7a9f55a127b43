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

// The page of all claims: a field that leaves those with some words.
addEventListener("DOMContentLoaded", function () {
  var rows = document.querySelectorAll("table.claims tbody tr");
  if (!rows.length) { return; }
  var field = document.createElement("input");
  field.type = "search";
  field.className = "claims-filter";
  field.placeholder = "Words of a claim";
  field.setAttribute("aria-label", "Show only claims with these words");
  field.addEventListener("input", function () {
    var words = field.value.toLowerCase().split(/\s+/);
    rows.forEach(function (row) {
      var text = row.textContent.toLowerCase();
      row.hidden = !words.every(function (word) { return text.includes(word); });
    });
    document.querySelectorAll("section:has(> * table.claims, > table.claims)").forEach(function (section) {
      section.hidden = section.matches("section section") && !section.querySelector("tbody tr:not([hidden])");
    });
  });
  document.querySelector("section section").before(field);
});
