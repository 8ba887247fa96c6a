"""What people ask a video pipeline for: subjects, and the words around them."""

import msgspec


class Subject(msgspec.Struct, frozen=True):
    """What a video is about, and the scenery (of `workers.pictures`) that suits it."""

    title: str
    about: str
    scenery: str


SUBJECTS = (
    Subject("First Ferry Out", "a ferry line that has carried islanders to work since 1911", "sea"),
    Subject("Salt & Slow", "hand-raked sea salt, from tide pool to table", "sea"),
    Subject("Below the Surface", "a freediving school for absolute beginners", "sea"),
    Subject("Lighthouse No. 7", "a tiny hotel in a retired lighthouse", "sea"),
    Subject("Regatta Week", "the summer sailing regatta, for people who have never sailed", "sea"),
    Subject("Last Tram Home", "a night bus and tram app that never leaves you waiting", "city"),
    Subject("Rooftop Honey", "bees kept on forty office roofs", "city"),
    Subject("Café Lumière", "a corner café that opens at five for the night shift", "city"),
    Subject("The Quiet Bike", "an electric cargo bike that replaces the second car", "city"),
    Subject("24 Hours Open", "a city library that never closes", "city"),
    Subject("Neon & Noodles", "a ramen bar with eleven seats", "city"),
    Subject("Higher Ground", "a trail-running shoe made from one piece of yarn", "peaks"),
    Subject("Refuge", "a mountain hut looking for its next keeper", "peaks"),
    Subject("Snowline", "a winter jacket that is repaired free, for life", "peaks"),
    Subject("Nine Switchbacks", "a bicycle climb and the bakery at the top of it", "peaks"),
    Subject("Cold Water, Warm Hands", "an enamel kettle for people who camp in October", "forest"),
    Subject("Where the Trails Begin", "a hiking map that works without a signal", "forest"),
    Subject("Night Owls", "guided walks to hear owls after dark", "forest"),
    Subject("Built to Creak", "cabins made from storm-felled spruce", "forest"),
    Subject("Slow Grapes", "a family vineyard in its fifth generation", "hills"),
    Subject("The Long Lunch", "a farm table for thirty strangers every Sunday", "hills"),
    Subject("Sheep to Sweater", "wool from one valley, knitted in that valley", "hills"),
    Subject("Up at Dawn", "hot-air balloon rides above the vineyards", "hills"),
    Subject("Golden Hour", "a camera with one button and no screen", "dunes"),
    Subject("Desert Radio", "a small station that plays music for truck drivers", "dunes"),
    Subject("Cool Without Power", "clay coolers that keep vegetables fresh in the heat", "dunes"),
    Subject("A Thousand Stars", "an observatory that lets children steer the telescope", "dunes"),
)

REQUESTS = (
    "Create a {duration}s ad for {about}",
    "Make a film of {duration} seconds about {about}",
    "A {duration}s teaser: {about}",
    "Tell the story of {about} in {duration} seconds",
    "{duration}s launch video for {about}",
)

LOOKS = (
    "slow drone shots, early light, no voice-over",
    "hand-held, documentary feel, natural sound",
    "quick cuts, upbeat, bold captions",
    "warm and a little nostalgic, 35 mm grain",
    "calm, wide, lots of sky",
    "flat illustration, soft gradients, gentle parallax",
    'end on the line "See you out there."',
    "one long take that starts close and ends far away",
)

SHOTS = (
    "Wide establishing shot, the light just coming up",
    "Close on hands at work",
    "A face in profile, half smiling",
    "Slow push-in through the foreground",
    "From above, drifting left",
    "Detail: steam, dust, breath",
    "Two people talk; we do not hear them",
    "The place again, an hour later",
    "Everything in motion, then a sudden stop",
    "Pull back until the product is small",
)

# Where a pipeline can fail, and what such a pipeline writes then.
SCRIPT_ERRORS = (
    "Script model returned no scenes (finish_reason=content_filter)",
    "Script model: 429 Too Many Requests, gave up after 5 attempts",
)
SCENE_ERRORS = (
    "Scene {scene}: render timed out after 300 s (3 attempts)",
    "Scene {scene}: CUDA out of memory at 1080p; no smaller worker is free",
    "Scene {scene}: provider rejected the prompt (policy: trademarked logo)",
    "Scene {scene}: upload to storage failed: SlowDown: please reduce your request rate",
)
AUDIO_ERRORS = (
    "Audio: provider answered 503 Service Unavailable (4 attempts)",
    "Audio: track is 3.2 s shorter than the video; refusing to stretch it",
)
COMPOSE_ERRORS = (
    "Compose: ffmpeg exited with status 1: Invalid data found when processing input",
    "Compose: no space left on device while writing final.mp4",
)
