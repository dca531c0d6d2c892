"""Pure drawing: a lab's rows become a scene, a journey becomes a film. No timers, no widgets, no Textual.

Reading order: glyphs (what lines are made of), canvas (cells), topology (what there is to draw), block (one
machine), layout (all of it in a given size), paths (where a packet is), headers and words (what is said of it),
frames (a journey as beats), overlay (one moment of the film over the scene), ladder (the same as text), zoom (the
kernel's own diagram for one visit).
"""
