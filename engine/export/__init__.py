"""A journey, taken out of the program: a capture, a picture, a transcript.

    frames.py     the frames that taps would have seen, each with its hop and its time
    pcap.py       pcapng: one interface a device, a comment a frame
    telling.py    which steps of a hop are told, in which words: for the picture, the transcript and the comments
    svg.py        a picture: places side by side, time downward
    markdown.py   a transcript

Rules. Leaves: they read a Journey and a Net, decide nothing and change nothing. Each format has `write(path, journey,
net, lang)`, which raises OSError. A layer that has no bytes here is NotModelled by name.
"""
