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
  var tables = document.querySelectorAll("table.claims");
  if (!tables.length) { return; }
  var label = document.createElement("label"), field = document.createElement("input");
  label.className = "claims-filter";
  field.type = "search";
  label.append("Only claims with these words: ", field);
  field.addEventListener("input", function () {
    var words = field.value.toLowerCase().split(/\s+/);
    tables.forEach(function (table) {
      var any = false;
      table.querySelectorAll("tbody tr").forEach(function (row) {
        var text = row.textContent.toLowerCase();
        row.hidden = !words.every(function (word) { return text.includes(word); });
        any = any || !row.hidden;
      });
      table.closest("section").hidden = !any;
    });
  });
  tables[0].closest("section").before(label);
});
