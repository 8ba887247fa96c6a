import io
import math
import wave
from array import array
from random import Random

RATE = 8000  # samples a second: a soft chord has nothing above 4 kHz
SECONDS = 2.4
ROOTS = (196.0, 220.0, 246.94, 261.63, 293.66)
CHORDS = ((0, 4, 7, 11), (0, 3, 7, 10), (0, 4, 7, 14), (0, 5, 7, 12))  # semitones above the root


def chord(seed: str) -> bytes:
    """Make a soft chord that swells and fades: mono, 16 bit, less than 40 kB."""
    rng = Random(seed)  # noqa: S311  # a tune is no secret
    root = rng.choice(ROOTS)
    tones = [math.tau * root * 2 ** (semitones / 12) / RATE for semitones in rng.choice(CHORDS)]
    return wav([loudness(at) * sum(math.sin(tone * at) for tone in tones) / len(tones) for at in range(length())])


def length() -> int:
    """Count the samples of a sound."""
    return round(RATE * SECONDS)


def loudness(at: int) -> float:
    """Swell and fade: nothing at both ends, so that it does not click when it is looped."""
    return 0.6 * math.sin(math.pi * at / length()) ** 2


def wav(samples: list[float]) -> bytes:
    """Write samples from -1 to 1 as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(array("h", (round(32767 * sample) for sample in samples)).tobytes())
    return file.getvalue()
