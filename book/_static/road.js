// What is wider than its place scrolls, and the keyboard must be able to reach it: formulas, and code in a
// dropdown, which the theme looks at only while it is closed.
addEventListener("load", function () {
  var watch = new ResizeObserver(function (boxes) {
    boxes.forEach(function (box) {
      box.target.tabIndex = box.target.scrollWidth > box.target.clientWidth ? 0 : -1;
    });
  });
  function see(selector) {
    document.querySelectorAll(selector).forEach(function (box) { watch.observe(box); });
  }
  see("article pre");
  if (window.MathJax && MathJax.startup) MathJax.startup.promise.then(function () { see("mjx-container[display]"); });
});
