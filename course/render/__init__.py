"""Pure drawing: a lab's rows become a scene, a journey becomes a film. No timers, no widgets, no Textual.

Reading order: glyphs (what lines are made of), canvas (cells), topology (what there is to draw), block (a drawing that
can be moved), spaces and machine (one machine), plan and layout (all of it in a given size), paths (where a packet is),
words and headers (what is said of it), frames (a journey as beats), playback (where the film stands), stage (one moment
of it over the scene), ladder (the same as text), zoom (the kernel's own diagram for one visit), caption (the panel
below), cast (who plays).
"""
