"""Small pictures and a sound for jobs that render nothing.

`still` is a thumbnail, `clip` a scene, `film` the final video: SVG of less than 6 kB, wholly given by a
`View`, without script, style sheet or link, so that they show under the strictest content policy.
`chord` is a soft sound as a WAV file of less than 40 kB.
"""

from workers.demo.pictures.drawing import SIZES, View, clip, film, still
from workers.demo.pictures.scenery import KINDS
from workers.demo.pictures.sound import chord

__all__ = ["KINDS", "SIZES", "View", "chord", "clip", "film", "still"]
