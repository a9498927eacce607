"""Look-alikes, leet, spaced letters and joined words, read as the words they hide."""

import re
import time
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedup import _core

TEXT = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the "
    "age of foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the "
    "season of Light, it was the season of Darkness, it was the spring of hope, it was the winter "
    "of despair, we had everything before us, we had nothing before us, we were all going direct "
    "to Heaven, we were all going direct the other way."
)
WORDS = re.findall(r"\w+", TEXT.lower())
PAGE = _core.Vocabulary(sorted(set(WORDS)))
NONE = _core.Vocabulary([])


def through(table: dict[str, str], text: str = TEXT) -> str:
    return "".join(table.get(letter, letter) for letter in text)


def respelled(text: str, vocabulary: _core.Vocabulary = PAGE) -> str | None:
    reading = _core.read_as("respelled", text, vocabulary)
    return None if reading is None else reading[0]


def share(text: str, vocabulary: _core.Vocabulary = PAGE) -> float:
    """Of the runs of five words of TEXT, those that the reading has."""
    read = respelled(text, vocabulary)
    found = re.findall(r"\w+", (read or text).lower().replace("ı", "i"))

    def runs(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[at : at + 5]) for at in range(len(words) - 4)}

    return len(runs(WORDS) & runs(found)) / len(runs(WORDS))


def misplaced(text: str) -> str:
    """Every space moved by a letter."""
    return re.sub(r"(\w) (\w)", r" \1\2", text)


SMALL_CAPITALS = dict(zip("abcdefghijklmnoprtuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ", strict=True))
CYRILLIC = dict(zip("aceopxyijsh", "асеорхуіјѕһ", strict=True))
GREEK = dict(zip("aeiknoptuvwxy", "αεικηορτυνωχγ", strict=True))
MANY = dict(zip("aghnoqufijd", "ɑɡհոօզսƒıϳԁ", strict=True))
CHEROKEE = dict(zip("abcdefghijklmnopqrstuvwxyz", "ᏗᏰፈᎴᏋᎦᎶᏂᎥᏠᏦᏝᎷᏁᎧᎮᎤᏒᏕᏖᏬᏉᏇጀᎩፚ", strict=True))
LISTED = dict(
    zip("abcdefghijklmnopqrstuvwxyz", "卂乃匚ᗪ乇千Ꮆ卄丨ﾌҜㄥ爪几ㄖ卩Ɋ尺丂ㄒㄩᐯ山乂ㄚ乙", strict=True)
)
MONEY = dict(zip("abcefgklmnoprstuwy", "₳฿₵ɆƑ₲₭Ⱡ₥₦Ø₱Ɽ₴₮Ʉ₩Ɏ", strict=True))
FLAGS = {chr(ord("a") + n): chr(0x1F1E6 + n) + "\u200b" for n in range(26)}
LEET = dict(zip("aeiostbgz", "431057862", strict=True))
SIGNS = {"a": "@", "s": "$", "i": "!", "t": "+", "e": "3", "o": "0"}
SLOW = {"a": "4", "e": "3"}

DEVICES = {
    "Cyrillic": through(CYRILLIC),
    "Greek": through(GREEK, TEXT.lower()),
    "Armenian and other Latin": through(MANY),
    "small capitals": through(SMALL_CAPITALS, TEXT.lower()),
    "Cherokee": through(CHEROKEE, TEXT.lower()),
    "Han": through(LISTED, TEXT.lower()),
    "currencies": through(MONEY, TEXT.lower()),
    "half flags": " ".join(" ".join(through(FLAGS, word)) for word in WORDS).replace("\u200b", ""),
    "leet": through(LEET),
    "leet of signs": through(SIGNS),
    "leet, a few letters": through(SLOW),
    "letters spaced": " ".join(" ".join(word) for word in TEXT.split()),
    "letters spaced, words wider": "   ".join(" ".join(word) for word in TEXT.split()),
    "letters spaced over lines": "\n".join(re.findall(".{1,39}", " ".join("".join(WORDS)))),
    "letters dotted": " ".join(".".join(word) for word in WORDS),
    "letters hyphenated": " ".join("-".join(word) for word in TEXT.split()),
    "letters underlined": " ".join("_".join(word) for word in WORDS),
    "stars between letters": " * ".join("".join(WORDS)),
    "pairs of letters": " ".join(re.findall("..?", "".join(WORDS))),
    "half of the words spaced": " ".join(
        " ".join(word) if n % 2 else word for n, word in enumerate(WORDS)
    ),
    "words joined": "".join(WORDS),
    "words joined with capitals": "".join(word.capitalize() for word in WORDS),
    "two words joined": " ".join("".join(WORDS[n : n + 2]) for n in range(0, len(WORDS), 2)),
    "spaces moved": misplaced(TEXT),
    "look-alikes spaced": " ".join(through(CYRILLIC).replace(" ", "  ")),
    "look-alikes joined": through(CYRILLIC, "".join(WORDS)),
    "leet and look-alikes": through({"e": "3", "a": "4", "o": "о", "i": "і"}),
}


@pytest.mark.parametrize("device", DEVICES)
def test_words_are_read_again(device: str) -> None:
    assert share(DEVICES[device]) >= 0.75


@pytest.mark.parametrize("device", DEVICES)
def test_a_reading_has_nothing_to_undo(device: str) -> None:
    once = respelled(DEVICES[device])
    assert once is not None
    assert respelled(once) is None


@pytest.mark.parametrize("device", DEVICES)
def test_words_lie_where_they_were_hidden(device: str) -> None:
    text = DEVICES[device]
    reading = _core.read_as("respelled", text, PAGE)
    assert reading is not None
    read, runs = reading[0].encode(), reading[1].tolist()
    raw = text.encode()
    covered = 0
    for at, size, start, end, copied in runs:
        assert at == covered and start <= end <= len(raw)
        covered += size
        if copied:
            assert read[at : at + size] == raw[start:end]
        else:
            raw[start:end].decode()  # cut between characters
    assert covered == len(read)
    # In order, so that a passage read is the passage of the text between its ends; what several
    # devices hid may come of the same letters.
    for one, following in pairwise(runs):
        assert one[3] <= following[2] or one[2:4] == following[2:4]


def test_span_of_a_word_is_that_of_its_letters() -> None:
    text = DEVICES["letters spaced, words wider"]
    reading = _core.read_as("respelled", text, PAGE)
    assert reading is not None
    read, runs = reading
    at = read.index("wisdom")
    (start, end), *rest = [(s, e) for a, n, s, e, _ in runs.tolist() if a <= at < a + n]
    assert text.encode()[start:end] == b"w i s d o m" and not rest


# ---- without a vocabulary


def test_without_words_mixed_scripts_and_wide_gaps_are_undone() -> None:
    assert respelled("It w\u0430s th\u0435 best", NONE) == "It was the best"
    spaced = "   ".join(" ".join(word) for word in WORDS[:12])
    assert respelled(spaced, NONE) == "   ".join(WORDS[:12])
    assert respelled("".join(WORDS), NONE) is None
    assert respelled(DEVICES["leet"], NONE) is None


# ---- what stays


ORDINARY = {
    "English": "The committee will reconvene on Thursday at 3pm in room B12; bring 2 copies.",
    "German": "Die Donaudampfschifffahrtsgesellschaft hat für größere Überraschungen gesorgt.",
    "French": "L'été dernier, à Orléans, il y a eu l'œuvre où s'est réuni un cœur naïf.",
    "Polish": "Zażółć gęślą jaźń, a łódź płynie wzdłuż Wisły ku Gdańskowi.",
    "Turkish": "Iğdır'ın ılık rüzgârı ağaçların arasından ışıl ışıl esiyordu.",
    "Vietnamese": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm.",
    "Danish": "Rødgrød med fløde på en ø i søen, sagde den ældre kvinde.",
    "Russian": "Все люди рождаются свободными и равными в своём достоинстве. Он сахар ест.",
    "Ukrainian": "Всі люди народжуються вільними і рівними у своїй гідності та правах.",
    "Greek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια.",
    "Armenian": "Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ։",
    "Cherokee": "ᏂᎦᏓ ᎠᏂᏴᏫ ᏂᎨᎫᏓᎸᎾ ᎠᎴ ᎤᏂᏠᏱ ᎤᎾᏕᎿ ᏚᏳᎧᏛ ᎨᏒᎢ",
    "Arabic": "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق.",
    "Hebrew": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है।",
    "Chinese": "人人生而自由,在尊严和权利上一律平等。千山万水几尺山。",
    "Japanese": "すべての人間は、生まれながらにして自由であり、フランスの山は美しい。",
    "Korean": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "emoji": "🇫🇷🇩🇪🇮🇹 👩‍👩‍👧 👍🏽 🎉 🇺🇸 🇮🇹",
    "initials": "J. R. R. Tolkien and C. S. Lewis met A. A. Milne, G. K. C. and T. S. E. in 1926.",
    "prices": "€5, £10 or ¥200; 40¢ a piece, ×2 at §3 – in all $17.50 (+5%)",
    "versions": "utf8, x86_64, sha256, v1.2.3, mp3, h264, 3rd, 2nd, i18n, B2B, 4x4, ipv6, 0x1F",
    "algebra": "a b c d e f g = x y z + (a - b) * c; for (i = 0; i < n; i++) a[i] = b[i] * k;",
    "units": "5 µm, 10 kΩ, Δx = 3 Å, 25 °C, λ = 500 nm, πr², Ωm",
    "hex": " ".join(f"{n * 2654435761 % 2**32:08x}" for n in range(200)),
    "numbers": " ".join(str(n * n * 7919) for n in range(300)),
    "names in code": "def getElementById(self, maxTokenBytes): return self.node_by_id[elementId]",
    "a long word": "antidisestablishmentarianism and pneumonoultramicroscopicsilicovolcanoconiosis",
}
KNOWN = ("en", "page", "the", "was", "of", "get", "element", "id", "max", "token", "byte", "self")
ENGLISH = _core.Vocabulary([*WORDS, *KNOWN, "hoc", "cop", "cap", "pot", "noc", "map", "room", "us"])


@pytest.mark.parametrize("kind", ORDINARY)
@pytest.mark.parametrize("vocabulary", [PAGE, NONE, ENGLISH], ids=["page", "none", "English"])
def test_ordinary_texts_stay_as_they_are(kind: str, vocabulary: _core.Vocabulary) -> None:
    assert respelled(ORDINARY[kind], vocabulary) is None
    assert respelled(f"{ORDINARY[kind]}\n" * 20, vocabulary) is None


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_texts_stay_beside_what_is_undone(kind: str) -> None:
    hidden = DEVICES["small capitals"]
    read = respelled(f"{ORDINARY[kind]}\n\n{hidden}")
    assert read is not None and read.startswith(ORDINARY[kind][:40])
    assert share(f"{ORDINARY[kind]}\n\n{hidden}") >= 0.9


def test_the_text_itself_has_nothing_to_undo() -> None:
    assert respelled(TEXT) is None
    assert respelled(TEXT.upper()) is None
    assert respelled(TEXT * 50) is None


# ---- anything


letters = st.sampled_from(["a", "w", "th", "it", "was", "the", "best", "times", "wisdom", "qzx"])
joints = st.sampled_from(["", " ", "  ", ".", "-", "\n", " * ", "_", "'", "é", "0", "3", "4", "|"])
drawn = st.sampled_from([*"асеорαοԁᴀʙᴛ", "🇮", "🇹", "$", "@", "(", "山", "ª", "ß", "ﷺ", "한", "½"])
texts = st.one_of(
    st.lists(st.one_of(letters, joints, drawn), max_size=60).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.sampled_from(sorted(DEVICES.values())).flatmap(
        lambda text: st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(
            lambda cut: text[min(cut) : max(cut)]
        )
    ),
)


@settings(max_examples=300, deadline=None)
@given(texts, st.sampled_from([PAGE, NONE, ENGLISH]))
@example("i t w a s " * 20, PAGE)
def test_a_reading_of_anything_is_text_and_final(text: str, vocabulary: _core.Vocabulary) -> None:
    read = respelled(text, vocabulary)
    if read is not None:
        assert read != text
        assert len(read.encode()) <= 4 * max(1, len(text.encode()))
        assert respelled(read, vocabulary) is None


HOSTILE = {
    "one letter": "a" * 10**6,
    "an unknown letter": "q" * 10**6,
    "letters alone": "a " * 500_000,
    "letters alone, wide gaps": "a b c   " * 120_000,
    "words joined": "".join(WORDS) * 3000,
    "words spaced": " ".join("".join(WORDS)) * 1500,
    "leet": "7h3 " * 250_000,
    "signs": "1|!4@" * 200_000,
    "brackets": "(" * 10**6,
    "ampersands": "&" * 10**6,
    "Cyrillic": "асе" * 160_000,
    "mixed": "aа" * 330_000,
    "strokes": "Іa" * 330_000,
    "half flags": "🇦 " * 200_000,
    "combining marks": "a" + "\u0301" * 500_000,
    "apostrophes": "a'" * 500_000,
    "nothing seen": "\u200b" * 330_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_megabyte_of_anything_takes_its_time_and_no_more(kind: str) -> None:
    started = time.thread_time()
    respelled(HOSTILE[kind])
    assert time.thread_time() - started < 20  # .5 s, more under sanitizers; minutes if not linear
