"""Links to theorems, equations, figures and sections as JupyterLab opens them.

There a role ({ref}, {numref}, {eq}, {prf:ref}) with a label of another notebook, or of a figure, is shown as an error.
Such a reference is a link instead, ``[Theorem 4.1](04-gp-limit.ipynb#thm-gp-one-layer)``, with the file's name
within a notebook too. Its number is typed; the build fails if that or the
file is wrong.
"""

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.logging import getLogger

log = getLogger(__name__)


def setup(app):
    app.add_post_transform(Labels)


class Labels(SphinxPostTransform):
    """Resolve links to labels, which MyST-Parser takes for headings (its issue 839), and check their numbers."""

    default_priority = 8  # before MyST

    def run(self, **_):
        for node in list(self.document.findall(addnodes.pending_xref)):
            if node["refdomain"] == "doc" and node.get("reftargetid"):
                self.resolve(node, node["reftargetid"])

    def resolve(self, node, label):
        if label.startswith("eq:"):
            link = self.link("math", "eq", label)
        elif label in getattr(self.env, "proof_list", {}):
            link = self.link("prf", "ref", label)
        elif label.startswith("fig-"):
            link = self.link("std", "numref", label)
        else:
            link = self.link("std", "ref", label, *node[0].children)
        if link is None:
            log.warning("a link leads to %r, which is no label", label, location=node)
        elif link.astext() != node.astext():
            log.warning("a link to %s says %r, and that is %r", label, node.astext(), link.astext(), location=node)
        elif link.get("refuri", "").partition("#")[0] != self.app.builder.get_relative_uri(
                self.env.docname, node["reftarget"]).partition("#")[0]:
            log.warning("a link to %s names the file of %r, which has no such label", label, node["reftarget"],
                        location=node)
        node.replace_self(link or node[0])

    def link(self, domain, role, label, *words):
        """Return what the role makes of a label."""
        inside = nodes.inline("", "", *(words or [nodes.Text(label)]))
        cross = addnodes.pending_xref("", inside, refdomain=domain, reftype=role, reftarget=label,
                                      refexplicit=bool(words))
        return self.env.domains[domain].resolve_xref(
            self.env, self.env.docname, self.app.builder, role, label, cross, inside)
