// A formula that is wider than the page scrolls; the keyboard must be able to reach it.
addEventListener("load", function () {
  function reach() {
    document.querySelectorAll("mjx-container[display]").forEach(function (formula) {
      if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
      else formula.removeAttribute("tabindex");
    });
  }
  if (window.MathJax && MathJax.startup) MathJax.startup.promise.then(reach);
  addEventListener("resize", reach);
});
