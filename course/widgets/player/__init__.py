"""The packet player. `Player` is the widget; its messages are nested in it.

    player = Player(lang="ko"); player.load(journey, net); player.play()

Reading order: paint (roles to colours), scene, ladder, zoom (three ways to see the same film), player (index, keys).
All texts and drawings come from `course.render`. `python -m course.widgets.player` plays one journey of a lab alone.
"""

from course.widgets.player.player import Player

__all__ = ["Player"]
