// What is copied has formulas as TeX.
document.addEventListener("copy", function (event) {
  var selection = getSelection();
  if (selection.isCollapsed) return;
  var range = selection.getRangeAt(0).cloneRange();
  function formula(node) { return (node.nodeType === 1 ? node : node.parentNode).closest("math"); }
  var first = formula(range.startContainer), last = formula(range.endContainer);
  if (first) range.setStartBefore(first);
  if (last) range.setEndAfter(last);
  var text = document.createElement("div");
  text.append(range.cloneContents());
  var formulas = text.querySelectorAll("math");
  if (!formulas.length) return;
  var html = text.innerHTML;
  formulas.forEach(function (math) {
    var sign = math.getAttribute("display") ? "$$" : "$", tex = math.getAttribute("aria-label");
    for (var piece; (piece = math.nextSibling) && piece.nodeName === "math"; piece.remove()) {  // of a long formula
      tex += piece.getAttribute("aria-label");
    }
    math.replaceWith(sign + tex + sign);
  });
  text.style.cssText = "position: fixed; opacity: 0";
  document.body.append(text);  // only what is laid out has lines
  event.clipboardData.setData("text/plain", text.innerText);
  event.clipboardData.setData("text/html", html);
  text.remove();
  event.preventDefault();
});
