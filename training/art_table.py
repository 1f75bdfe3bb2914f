"""What is drawn and by whom: the classes of the demo world and the icon sets they are drawn by.

Both are plain data, so that adding a vendor or a class means adding a line.
"""

from __future__ import annotations

ALLOWED_LICENCES = frozenset({"Apache-2.0", "MIT", "CC-BY-4.0", "CC-BY-3.0", "OFL-1.1", "ISC", "CC0-1.0"})

TEST_VENDOR = "fluent-emoji-flat"
"""Looked at once, when training is over. Nothing else by its designers is trained on."""

VALIDATION_VENDOR = "emojione"
"""Chooses when to stop; never trained on."""

SHIPPED_VENDORS = (TEST_VENDOR, "noto")

EMOJI_VENDORS = {
    "noto": "1.2.9",
    "noto-v1": "1.2.5",
    "fxemoji": "1.2.2",
    "twemoji": "1.2.5",
    "streamline-emojis": "1.2.4",
    VALIDATION_VENDOR: "1.2.3",
    TEST_VENDOR: "1.2.6",
}
"""Full-colour emoji: the nearest to what the test shows."""

COLOUR_VENDORS = {
    "flat-color-icons": "1.2.3",
    "meteocons": "1.2.4",
    "icon-park": "1.2.4",
    "streamline-color": "1.2.2",
    "streamline-cyber-color": "1.2.2",
    "streamline-flex-color": "1.2.2",
    "streamline-freehand-color": "1.2.2",
    "streamline-kameleon-color": "1.2.2",
    "streamline-plump-color": "1.2.2",
    "streamline-sharp-color": "1.2.2",
    "streamline-stickies-color": "1.2.2",
    "streamline-ultimate-color": "1.2.2",
}

MONOCHROME_VENDORS = {
    "bi": "1.2.7",
    "bxs": "1.2.3",
    "carbon": "1.2.29",
    "cil": "1.2.3",
    "duo-icons": "1.2.2",
    "fa6-solid": "1.2.4",
    "fa7-solid": "1.2.5",
    "game-icons": "1.2.4",
    "guidance": "1.2.2",
    "healthicons": "1.2.13",
    "hugeicons": "1.2.35",
    "ic": "1.2.4",
    "icon-park-solid": "1.2.4",
    "icon-park-twotone": "1.2.4",
    "icons8": "1.2.1",
    "iconoir": "1.2.11",
    "ion": "1.2.7",
    "la": "1.2.1",
    "lucide": "1.2.137",
    "lucide-lab": "1.2.3",
    "maki": "1.2.5",
    "material-symbols": "1.2.98",
    "mdi": "1.2.3",
    "mingcute": "1.2.8",
    "ph": "1.2.2",
    "pixel": "1.2.2",
    "pixelarticons": "1.2.9",
    "raphael": "1.2.1",
    "ri": "1.2.10",
    "solar": "1.2.13",
    "streamline": "1.2.5",
    "streamline-flex": "1.2.3",
    "streamline-freehand": "1.2.1",
    "streamline-pixel": "1.2.0",
    "streamline-plump": "1.2.0",
    "streamline-ultimate": "1.2.2",
    "tabler": "1.2.41",
    "temaki": "1.2.6",
    "uil": "1.2.3",
    "vaadin": "1.2.1",
}
"""One-colour silhouettes and outlines, tinted at random: they teach shape."""

ICON_NAMES: dict[str, tuple[str, ...]] = {
    "dog": ("dog", "dog-face"),
    "cat": ("cat", "cat-face"),
    "horse": ("horse", "horse-face", "horse-head"),
    "cow": ("cow", "cow-face", "cow-head"),
    "pig": ("pig", "pig-face"),
    "rabbit": ("rabbit", "rabbit-face"),
    "elephant": ("elephant",),
    "panda": ("panda", "panda-face"),
    "penguin": ("penguin",),
    "owl": ("owl",),
    "frog": ("frog", "frog-face"),
    "turtle": ("turtle",),
    "snake": ("snake",),
    "fish": ("fish", "tropical-fish"),
    "whale": ("whale", "spouting-whale"),
    "butterfly": ("butterfly",),
    "snail": ("snail",),
    "spider": ("spider",),
    "crab": ("crab",),
    "apple": ("apple", "red-apple", "green-apple", "redapple", "greenapple", "apple-whole"),
    "banana": ("banana", "bananas"),
    "grapes": ("grapes", "grape"),
    "strawberry": ("strawberry",),
    "cherry": ("cherry", "cherries"),
    "pineapple": ("pineapple",),
    "watermelon": ("watermelon", "water-melon"),
    "carrot": ("carrot",),
    "mushroom": ("mushroom", "mushrooms"),
    "pizza": ("pizza", "pizza-slice", "slice-of-pizza", "sliceofpizza", "slicepizza"),
    "burger": ("burger", "hamburger"),
    "cake": ("cake", "birthday-cake", "birthdaycake", "shortcake", "cake-candles", "cake-slice"),
    "donut": ("donut", "doughnut"),
    "cheese": ("cheese", "cheese-wedge"),
    "car": ("car", "automobile", "sport-utility-vehicle", "car-side"),
    "bus": ("bus", "oncoming-bus", "bus-front", "bus-side"),
    "tractor": ("tractor", "farm-tractor"),
    "bicycle": ("bicycle", "bike"),
    "airplane": ("airplane", "plane", "small-airplane", "airplane-mode"),
    "helicopter": ("helicopter",),
    "rocket": ("rocket", "rocket-launch"),
    "sailboat": ("sailboat", "sail-boat", "sailing-boat"),
    "tree": ("tree", "deciduous-tree", "evergreen-tree", "deciduoustree", "evergreentree", "pine-tree"),
    "cactus": ("cactus",),
    "rose": ("rose",),
    "sunflower": ("sunflower",),
    "moon": ("moon", "crescent-moon", "crescentmoon"),
    "star": ("star",),
    "cloud": ("cloud",),
    "rainbow": ("rainbow",),
    "snowman": ("snowman", "snowmanwithoutsnow"),
    "umbrella": ("umbrella", "umbrella-with-rain-drops", "umbrellawithraindrops", "beach-umbrella"),
    "house": ("house", "home", "housebuilding", "house-with-garden", "housewithgarden"),
    "castle": ("castle", "europeancastle"),
    "key": ("key",),
    "lock": ("lock", "locked", "padlock"),
    "book": ("book", "open-book", "openbook", "closed-book", "closedbook", "book-open", "blue-book", "green-book"),
    "scissors": ("scissors", "blackscissors", "scissor"),
    "hammer": ("hammer",),
    "crown": ("crown",),
    "guitar": ("guitar", "acoustic-guitar"),
    "trumpet": ("trumpet",),
    "drum": ("drum",),
    "camera": ("camera", "camera-with-flash", "camerawithflash"),
    "laptop": ("laptop", "laptop-computer", "personalcomputer", "notebook-computer"),
    "balloon": ("balloon", "balloons", "party-balloon"),
    "gift": ("gift", "wrapped-gift", "present", "gift-box"),
    "robot": ("robot", "robot-face"),
    "ghost": ("ghost",),
    "skull": ("skull",),
    "bell": ("bell", "notification-bell"),
    "trophy": ("trophy", "winner-cup"),
    "anchor": ("anchor",),
    "hourglass": ("hourglass", "hourglass-done", "hourglass-not-done", "hourglassflowingsand"),
    "glasses": ("glasses", "spectacles", "eyeglasses"),
    "candle": ("candle",),
    "television": ("television", "tv"),
}
"""Class -> the names its icons go by, after `FILLER` words are taken out."""

FILLER = frozenset(
    [
        "fill",
        "filled",
        "bold",
        "thin",
        "light",
        "duotone",
        "twotone",
        "outline",
        "outlined",
        "rounded",
        "round",
        "sharp",
        "solid",
        "line",
        "linear",
        "alt",
        "regular",
        "color",
        "animal",
        "animals",
        "food",
        "fruit",
        "vehicle",
        "drink",
        "transportation",
        "transport",
        "pet",
        "baseline",
        "rounds",
        "broken",
        "local",
        "directions",
        "two",
        "tone",
        "variant",
        "plain",
        "simple",
        "flat",
        "3d",
        "interface",
        "entertainment",
        "nature",
        "ecology",
        "instrument",
    ]
)
"""Words of an icon's name that say how, not what, it is drawn."""

REJECTED = frozenset(
    (vendor, name) for vendor in ("icon-park", "icon-park-solid", "icon-park-twotone") for name in ("key", "anchor")
)
"""(vendor, icon name) pairs that a person looked at and found to show something else."""

MAX_PER_CLASS = 5
"""Drawings kept for each class and vendor: the rest are mostly line-weight variants."""
