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
