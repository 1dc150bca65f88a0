"""Titles and tags of synthetic movies, made from word patterns; all are different."""

from collections import Counter

import numpy as np


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


_ADJECTIVES = _words("""
Silent, Broken, Golden, Last, Hidden, Crimson, Lonely, Electric, Distant, Wild, Frozen,
Secret, Burning, Quiet, Lost, Brave, Hollow, Midnight, Paper, Iron, Gentle, Savage,
Invisible, Bitter, Endless, Forgotten, Perfect, Restless, Velvet, Wandering, Sacred, Stolen,
Second, Blue, Northern, Fearless, Curious
""")
_NOUNS = _words("""
River, Garden, Witness, Soldier, Harbor, Letter, Stranger, Summer, Mirror, City, Promise,
Storm, Shadow, Orchard, Machine, Island, Daughter, Thief, Signal, Road, Winter, Crown,
Machinist, Dream, Verdict, Lighthouse, Dancer, Empire, Puzzle, Voyage, Cathedral, Wolf,
Painter, Station, Sparrow, Bargain, Mountain, Heist, Wedding, Rider, Engine, Doctor,
Labyrinth, Tiger, Kitchen, Archive, Comet
""")
_NAMES = _words("""
Anna, Oskar, Maria, Daniel, Lucia, Victor, Clara, Samuel, Irene, Walter, Nadia, Hugo, Elena,
Arthur, Sofia, Martin, Judith, Pablo, Greta, Simon, Amelia, Ivan
""")
_PLACES = _words("""
Lisbon, Montana, Havana, Berlin, the Desert, Brooklyn, Kyoto, the North, Naples, the Rain,
Texas, Cairo, Marseille, the Dark, Prague, Alaska, Bombay, the Hills
""")
_PATTERNS = (
    "{adjective} {noun}",
    "{adjective} {noun}, The",
    "{noun} in {place}",
    "{name}'s {noun}",
    "{noun} of {place}",
    "{name} and the {noun}",
    "{noun}, A",
    "{adjective} {name}",
    "{noun} and the {other}, The",
    "Return to {place}: The {adjective} {noun}",
)


def make_titles(n: int, random: np.random.Generator) -> list[str]:
    """Return n different titles, with leading articles at the end as in MovieLens."""
    picks = {
        "adjective": random.choice(_ADJECTIVES, n),
        "noun": random.choice(_NOUNS, n),
        "other": random.choice(_NOUNS, n),
        "name": random.choice(_NAMES, n),
        "place": random.choice(_PLACES, n),
    }
    patterns = random.choice(_PATTERNS, n)
    seen: Counter[str] = Counter()
    titles: list[str] = []
    for i, pattern in enumerate(patterns):
        title = pattern.format(**{word: values[i] for word, values in picks.items()})
        seen[title] += 1
        titles.append(_numbered(title, seen[title]))
    return titles


def make_tags(n: int, random: np.random.Generator) -> list[str]:
    """Return n different tags in lower case."""
    moods = [word.lower() for word in _ADJECTIVES]
    themes = [word.lower() for word in _NOUNS]
    pairs = [*themes, *moods, *(f"{mood} {theme}" for mood in moods for theme in themes)]
    order = random.permutation(len(pairs))
    names = [pairs[i] for i in order[:n]]
    return names + [f"theme {i}" for i in range(n - len(names))]


def _numbered(title: str, count: int) -> str:
    """Return the title of the count-th movie of that title: `Thief 2, The`."""
    if count == 1:
        return title
    head, comma, article = title.partition(", ")
    return f"{head} {count}{comma}{article}"
