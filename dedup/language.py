"""The language of a piece of code: by file name, by the tag of a fence, by its content.

Takes what names or holds code, gives the name of a tree-sitter grammar with underscores
(``c_sharp``), or the usual name where no grammar exists, and ``""`` for all that is unknown or is
prose. A name and a tag are claims of an author; content is evidence, and ``contradicted`` says when
the evidence is strong enough to doubt a claim.

Content is judged by markers: words, operators, first words and last characters of lines, each with
a weight per language, over a bounded sample. Comments and strings are taken out first, as they
speak another language: English, or SQL.
"""

import re
from collections import Counter
from collections.abc import Mapping

__all__ = [
    "contradicted",
    "is_data_name",
    "is_judged",
    "language_of_content",
    "language_of_name",
    "language_of_tag",
    "languages_of_content",
    "markup_of_name",
]

# Enough for the header and some bodies; at 5 MB/s the sample costs some 3 ms however long the
# document is.
_SAMPLE_BYTES = 16 << 10

# ---- names and tags ------------------------------------------------------------------------------

_EXTENSIONS = {
    "python": "py py3 pyw pyi pyx pxd sage bzl star",
    "javascript": "js mjs cjs jsx es6 jsm gs",
    "typescript": "ts mts cts",
    "tsx": "tsx",
    "java": "java jav",
    "c": "c h",
    "cpp": "cpp cc cxx c++ hpp hh hxx h++ ipp tpp inl cu cuh ino",
    "go": "go",
    "rust": "rs",
    "c_sharp": "cs csx",
    "ruby": "rb rbw rake gemspec ru podspec",
    "php": "php php3 php4 php5 php7 phtml phps",
    "kotlin": "kt kts",
    "swift": "swift",
    "scala": "scala sc sbt",
    "bash": "sh bash zsh ksh bats ebuild",
    "sql": "sql ddl dml psql pgsql",
    "lua": "lua",
    "haskell": "hs lhs",
    "julia": "jl",
    "perl": "pl pm t pod",
    "r": "r",
    "objc": "m mm",
    "dart": "dart",
    "elixir": "ex exs",
    "erlang": "erl hrl",
    "clojure": "clj cljs cljc edn",
    "commonlisp": "lisp lsp cl el",
    "scheme": "scm ss",
    "racket": "rkt",
    "ocaml": "ml mli",
    "fsharp": "fs fsi fsx",
    "groovy": "groovy gradle gvy",
    "powershell": "ps1 psm1 psd1",
    "fortran": "f f77 f90 f95 f03 f08 for",
    "pascal": "pas dpr pp",
    "ada": "adb ads",
    "cobol": "cob cbl",
    "vb": "vb bas vbs cls",
    "asm": "asm s",
    "verilog": "v sv svh vh",
    "vhdl": "vhd vhdl",
    "zig": "zig",
    "nim": "nim nims",
    "d": "d",
    "crystal": "cr",
    "solidity": "sol",
    "proto": "proto",
    "glsl": "glsl vert frag comp hlsl wgsl metal",
    "css": "css scss sass less",
    "cmake": "cmake",
    "make": "mk mak",
    "nix": "nix",
    "hcl": "tf hcl",
    "tcl": "tcl",
    "batch": "bat cmd",
    "vim": "vim",
    "awk": "awk",
    "prolog": "pro",
    "coffeescript": "coffee",
}

_FILE_NAMES = {
    "make": "makefile gnumakefile",
    "dockerfile": "dockerfile containerfile",
    "python": "build workspace sconstruct sconscript wscript snakefile tiltfile",
    "ruby": "rakefile gemfile vagrantfile podfile guardfile fastfile brewfile",
    "cmake": "cmakelists.txt",
    "groovy": "jenkinsfile",
    "bash": ".bashrc .bash_profile .zshrc .profile pkgbuild configure",
}

# A tag may also be an extension or the name of a language; these are the further ones.
_TAGS = {
    "python": "python2 python3 py2 ipython ipython3 pycon pyi cython sage starlark",
    "javascript": "ecmascript node nodejs react javascriptreact jscript",
    "typescript": "typescriptreact deno",
    "c": "ansi-c c99 c11 arduino-c",
    "cpp": "cplusplus cuda arduino c++11 c++17 c++20",
    "go": "golang",
    "c_sharp": "csharp c# dotnet",
    "objc": "objective-c objectivec obj-c objective-c++",
    "bash": "shell shell-session shellsession console terminal bash-session shellscript",
    "sql": "mysql postgresql postgres sqlite plsql tsql t-sql mariadb bigquery",
    "r": "rlang rscript",
    "perl": "perl5 perl6",
    "powershell": "pwsh ps",
    "rust": "rustlang",
    "ruby": "jruby irb",
    "commonlisp": "common-lisp emacs-lisp elisp",
    "fsharp": "f#",
    "vb": "vbnet vb.net visualbasic vba",
    "asm": "assembly nasm x86asm",
    "verilog": "systemverilog",
    "make": "makefile",
    "dockerfile": "docker",
    "hcl": "terraform",
    "html": "html htm xhtml html5 svelte vue jinja jinja2 django ejs handlebars",
    "xml": "xml svg xsl xsd",
    "json": "json jsonc json5 jsonl",
    "yaml": "yaml yml",
    "toml": "toml ini cfg conf properties",
    "batch": "dos",
    "matlab": "matlab octave",
    "latex": "latex tex",
    "graphql": "graphql gql",
}

_MARKUP = {
    "markdown": "md markdown mdown mkd mkdn mdx rmd qmd",
    "rst": "rst rest",
    "html": "html htm xhtml shtml vue svelte",
    "notebook": "ipynb",
}
_DATA = (
    "json jsonl ndjson json5 yaml yml toml ini cfg conf properties xml svg csv tsv lock map bib"
    " plist parquet po pot geojson rss atom ics vcf"
)


def _inverted(table: dict[str, str]) -> dict[str, str]:
    return {word: key for key, words in table.items() for word in words.split()}


_OF_EXTENSION = _inverted(_EXTENSIONS)
_OF_FILE_NAME = _inverted(_FILE_NAMES)
_OF_MARKUP = _inverted(_MARKUP)
_OF_TAG = {
    **{name: name for name in (*_EXTENSIONS, *_TAGS)},
    **{key: value for key, value in _OF_EXTENSION.items() if key not in {"v", "d", "t", "s"}},
    **_inverted(_TAGS),
}
_IS_DATA = frozenset(_DATA.split())
_PACKED = (".gz", ".bz2", ".xz", ".zst")


def language_of_name(name: str) -> str:
    """The language a file name or path speaks for; ``""`` if none, as for prose and data."""
    base, extension = _base_and_extension(name)
    return _OF_FILE_NAME.get(base) or (
        "dockerfile" if base.startswith("dockerfile.") else _OF_EXTENSION.get(extension, "")
    )


def markup_of_name(name: str) -> str:
    """``markdown``, ``rst``, ``html`` or ``notebook``: what holds code among text; else ``""``."""
    base, extension = _base_and_extension(name)
    return "" if base in _OF_FILE_NAME else _OF_MARKUP.get(extension, "")


def is_data_name(name: str) -> bool:
    """Whether the name is one of data, whose brackets are no code, as ``.json``."""
    return _base_and_extension(name)[1] in _IS_DATA


def _base_and_extension(name: str) -> tuple[str, str]:
    base = name.replace("\\", "/").rpartition("/")[2].lower()
    while base.endswith(_PACKED):
        base = base.rpartition(".")[0]
    return base, base.rpartition(".")[2] if "." in base else ""


def language_of_tag(tag: str) -> str:
    """The language that the info string of a fence names; ``""`` if none or unknown.

    Takes the forms in use: ``py``, ``python3``, ``{.python}``, ``{r, echo=FALSE}``,
    ``language-java``, ``python title="x"``, ``js:app.js``, ``12:15:src/a.ts`` (a file name).
    """
    # 200 bytes hold any tag in use; a line of a megabyte after the fence is no tag.
    words = re.findall(r"[^\s,;{}=\"']+", tag[:200].strip().lower())
    for word in words[:1]:
        word = word.removeprefix("language-").removeprefix("lang-").lstrip(".")
        found = (
            _OF_TAG.get(word)
            or _OF_TAG.get(word.partition(":")[0])
            or _OF_TAG.get(word.partition("|")[0])
            or language_of_name(word.rpartition(":")[2])
        )
        if found:
            return found
    return ""


# ---- content -------------------------------------------------------------------------------------

# A marker is a word or operator anywhere, ``^word`` or ``^word:second`` at the start of a line,
# ``x$`` at the end of one. $w, @w, :w, w!, w? and .m( stand for any word so marked, :t for a basic
# type after a colon. Languages of one family (c and cpp, javascript, typescript and tsx) are told
# apart after the family is.
_MARKERS: dict[str, dict[float, str]] = {
    "python": {
        6: "__init__ __name__ ^async:def ^from:__future__",
        4: "^elif ^except ^else:: ^try:: ^finally:: isinstance elif",
        3: "None ^with kwargs",
        2: '^def :$ ^from True False lambda self ^pass ^raise len """',
        1: "^import ^class not and or is in print ^yield ^assert str dict -> ** __class__ range"
        " ^if ^for ^while ^async ^return enumerate",
        -1: ";$ {$ ^}",
        -2: "$w ^end ^} ^{",
    },
    "javascript": {
        4: "=== !== undefined",
        3: "typeof console prototype addEventListener ^export:default });$",
        2: "=> function ^const ^let ^var exports document window JSON Promise ^export ?. className",
        1: "require async await Object Array Math /> ^import:{ constructor push .m("
        " ^function ^async",
        0.5: "null this new ;$ {$ ,$ || && return",
        -2: "int String void ^def ^end -> :: := ^fn ^public ^func ^* unsigned",
    },
    "java": {
        6: "^import:java @Override Override",
        4: "throws boolean ^import:javax ^import:org ^import:com",
        3: "^public:class ^public:static final",
        2: "String extends implements println System Integer ArrayList ^package instanceof"
        " ^private:static ^public:void ^private:final ^protected:void ^public:int ^private:int"
        " ^public:String",
        1: "int void public private protected static null this new class double {$ ;$ List Map Math"
        " char byte long ^@ ^}:catch .m(",
        -2: "fun func val var $w ^def let fn struct string bool => === :t ^export ?:",
    },
    "c": {
        4: "^#include malloc",
        3: "^#define ^#ifdef ^#ifndef ^#endif NULL sizeof typedef printf fprintf strcmp memcpy",
        2: "struct unsigned char size_t uint8_t uint32_t uint64_t int64_t ^#if ^#else extern goto",
        1: "int void static const -> long float double ;$ {$ inline enum bool ^* ^return",
        -1: ".m(",
        -2: "$w ^def let fn func fun function var => String public private new import :t ^export"
        " ===",
    },
    "go": {
        4: ":= fmt ^func:( chan",
        3: 'func ^package range defer ^import:( ^import:" ^package:main',
        2: "err nil struct make byte ^type ^case ^}:else uint64 int64 uint32",
        1: "string interface map error go {$ append ^return ^var ^if ^for &",
        -2: ";$ $w -> => fn let self this public private class",
    },
    "rust": {
        4: "fn impl mut ^#[ crate println! assert_eq! vec! ^pub:fn ^use:std usize &mut",
        3: "pub u8 u32 u64 i32 i64 f64 unwrap dyn",
        2: "let :: match Some Ok Err Vec w! ^mod ^use str Option trait :: ^fn &self",
        1: "self -> => String Result enum struct where None ;$ {$ Self unsafe Box",
        -2: "$w new this class public private int void function func null",
    },
    "c_sharp": {
        6: "^using:System",
        4: "WriteLine IEnumerable Linq",
        3: "internal Task ^using get; set;",
        2: "string foreach namespace sealed partial bool StringBuilder decimal",
        1: "public private protected override virtual var async await readonly ?? => this new null"
        " static void int class List {$ ;$ ^[ object out",
        -2: "$w ^def let fn func function import final String boolean :: :t ^export === ?:"
        " extends implements ^package ^import println",
    },
    "ruby": {
        6: "attr_accessor attr_reader require_relative",
        4: "puts initialize rescue ^end",
        3: "elsif unless |$ ^module each",
        2: "^def nil ^require :w w? @w &. ||= do$ begin freeze ^include",
        1: "do then self ^class => raise yield =~ ^if ^when :: ^private",
        -1: "{$ ^}",
        -2: ";$ :$ local var function $w -> ~= ^local",
    },
    "php": {
        30: "<?php",
        6: "^public:function ^private:function ^protected:function $this",
        4: "isset",
        3: "$w",
        2: "function -> array => echo foreach elseif === ^use",
        1: ";$ null :: new public private protected static string ^namespace as ^{ ^}",
        -2: "my sub shift =~ unless elsif eq ne qw ->{ let var fi done then$ ^fi ^done",
    },
    "kotlin": {
        6: "^data:class companion lateinit ^override:fun ^private:fun",
        4: "fun suspend listOf mapOf mutableListOf",
        3: "!! ^private:val ^internal ^fun",
        2: "val when Unit Int Boolean it object ?: ^package ^import is",
        1: "var override ?. println String null ^class ^private open by -> {$ Long Any as",
        -1.5: ";$",
        -2: "$w func let fn def implements extends static void new int nil",
    },
    "swift": {
        6: "^guard:let ^import:Foundation ^import:UIKit ^import:SwiftUI @objc",
        4: "guard ^if:let deinit extension",
        3: "func protocol init Bool weak in$",
        2: "let var nil self -> struct Int",
        1: "String ?? ?. enum ^case static private public override ^import ^switch throws try as"
        " ^return {$ ^class fileprivate final inout",
        -1.5: ";$",
        -2: "$w := fn def val fun null this new ^package => function int void ^const",
    },
    "scala": {
        6: "^case:class ^override:def ^sealed:trait ^case:object implicit",
        3: "val object trait Seq lazy ^private:def ^implicit:val",
        2: "^def => match extends Option Unit Int with ^case ^object def <- Some",
        1: "String override yield println var new List Map ^class ^package ^import {$ Future ^type",
        -1.5: ";$",
        -2: "$w func let fn fun function int void null :$ ^end -> self public",
    },
    "bash": {
        5: "^fi ^done ^esac ^if:[",
        4: "then$ ;;$ ^#!/bin/bash",
        3: "do$ ${ $( ^sudo ^grep ^sed ^awk ^mkdir ^curl ^chmod ^apt-get",
        2: "^echo ^cd ^rm ^apt ^npm ^git ^pip ^docker ^cp ^mv ^ls ^exit $w ^set ^cat ^test ^source"
        " ^wget ^make ^python ^then \\$",
        1.5: "^elif ^export ^while ^for ^case ^local",
        1: "| >> /dev/null -- && ||",
        -2: ";$ => ===  ^my def class let const -> :: function null None self :=",
    },
    "sql": {
        5: "^insert:into ^group:by ^order:by ^create:table ^GROUP:BY ^ORDER:BY ^CREATE:TABLE",
        4: "SELECT ^select VARCHAR ^left:join ^INSERT:INTO ^DELETE:FROM ^alter:table ^ALTER:TABLE",
        3: "INSERT CREATE TABLE JOIN PRIMARY ALTER varchar ^where WHERE ^LEFT:JOIN ^INNER:JOIN",
        2: "FROM INTO UPDATE GROUP ORDER BY VALUES INTEGER DROP ^join ^insert ^update ^drop TEXT"
        " ^create ^from DISTINCT ^SET ^grant",
        1: "NOT NULL AND AS ON KEY IN ^and ^-- ^on EXISTS INT DEFAULT RETURNS LANGUAGE FUNCTION"
        " REPLACE IF OR BEGIN END ^as SCHEMA GRANT returns language integer ;$",
        -2: "{$ ^} -> :: => === == && || function def var let const return ^#",
    },
    "lua": {
        6: "^local:function ipairs",
        5: "pairs",
        4: "^local",
        3: "then$ ~=",
        2: "^end nil .. elseif do$ ^--",
        1: "function require not and or self then ^if ^for ^return ^function local setmetatable",
        -1: ";$ {$ ^}",
        -2: "$w ^def :$ => -> :: @w var let const class elsif elif puts fi ^fi ^done != && ||",
    },
    "perl": {
        6: "^use:strict ^use:warnings",
        5: "^my my",
        4: "^sub qw",
        3: "=~ ->{ $_ eq ne",
        2: "$w @_ -> shift elsif unless die bless ^=cut ^package",
        1: "@w foreach print ;$ return => push keys",
        -2: "function var let const def class fi then$ ^fi ^done ===",
    },
    "r": {
        5: "<- %>% library",
        3: "TRUE FALSE data.frame ggplot",
        2: "NULL ^if:( stop",
        1: "function length function( in paste names list",
        -2: ";$ => :: -> := val val def let const var case func nil",
    },
    "haskell": {
        6: "deriving ^import:qualified",
        4: "^instance Maybe ^newtype",
        3: "IO ^data ^where where$",
        2: ":: ^module ^| <- ^let",
        1: "-> where ^import ^case of $ . ^--",
        -2: ";$ {$ ^} :$ $w ^end def fn function class self == != && null",
    },
    "julia": {
        4: "nothing ^using:LinearAlgebra Float64 Int64",
        2: "^end ^function ^using ^module ^struct",
        1: "println :: @w ^elseif elseif ^for .+ .* end",
        -2: ";$ {$ ^} :$ $w ^def nil local then$ do$ puts ^local self class",
    },
    "objc": {
        6: "@interface @implementation @property @end NSString NSArray NSDictionary",
        4: "^#import nil YES NO",
        2: "nonatomic self alloc ^@",
        1: "void int ;$ {$ BOOL",
        -2: "$w def fn func fun let var function public private import",
    },
}

_CPP: dict[float, str] = {
    5: "nullptr constexpr noexcept typename static_cast ^template std:: reinterpret_cast",
    3: ":: ^public:: ^private:: ^protected:: virtual explicit cout unique_ptr ^namespace",
    2: "^class ^using:namespace auto override cerr cin ^using template",
    1: "operator vector delete ^friend",
}
_TYPESCRIPT: dict[float, str] = {
    3: ":t keyof ^export:interface ^export:type ^declare ^import:type ^export:enum",
    2: "readonly ^type ^interface ^private ^public ^protected ^abstract ?: implements",
    1: "as ^enum boolean",
}
_JSX: dict[float, str] = {3: "</ /> className", 2: "useState props"}


def _by_marker(
    table: Mapping[str, Mapping[float, str]],
) -> dict[bytes, list[tuple[str, float]]]:
    weights: dict[bytes, list[tuple[str, float]]] = {}
    for language, of_weight in table.items():
        for weight, markers in of_weight.items():
            for marker in set(markers.split()):
                weights.setdefault(marker.encode(), []).append((language, weight))
    return weights


_WEIGHTS = _by_marker(_MARKERS)
_WITHIN_FAMILY = {
    name: {marker: pairs[0][1] for marker, pairs in _by_marker({name: table}).items()}
    for name, table in (("cpp", _CPP), ("typescript", _TYPESCRIPT), ("jsx", _JSX))
}
_FAMILY = {"cpp": "c", "typescript": "javascript", "tsx": "javascript"}

# Without any of these the other markers of the language are another's: -> :: => use as.
_SIGNS = {
    "php": (b"$w", b"<?php"),
    "perl": (b"$w", b"@w", b"^sub", b"^use"),
    "r": (b"<-", b"function", b"library"),
    "haskell": (b"::", b"->", b"<-", b"^where", b"deriving"),
}

# What an unclosed comment or string reaches is its end or, if longer than a line, the end of the
# sample: no place is scanned twice. A quote after a word is an apostrophe; 'a without a second
# quote is a lifetime of Rust.
_QUOTED = re.compile(
    rb'("""|\'\'\')(?s:.*?)(?:\1|\Z)'
    rb"|(?m:^[ \t]*+\*[ \t/].*$)"
    rb"|/\*(?s:.*?)(?:\*/|\Z)"
    rb"|(?m:(?<![:\w\\])//.*$)"
    rb"|(?m:(?<![^\s;{}()])(?:\#|--)[ \t#!-].*$)"
    rb'|"(?:[^"\\\n]|\\.)*+(?:"|$)'
    rb"|(?<!\w)'(?:[^'\\\n]|\\.){0,200}+'"
)
_HEADS = re.compile(rb"(?m)^[ \t]*+([#@]?[A-Za-z_][\w-]*+|#\[|--|[^\w\s])[ \t]*+(\w++|[^\w\s])?")
_TAILS = re.compile(rb"(?m)(\}\);|;;?|[{:,|\\]|\b(?:do|then|in|where))[ \t]*+\r?$")
_TOKENS = re.compile(
    rb"\??:[ ]?(?:string|number|boolean|any|void(?![ ]0)|unknown|never)\b"
    rb"|std::"
    rb"|(?<![\w:]):[a-z]\w*+"
    rb"|\$[A-Za-z_]\w*+|\$[{(]|@[A-Za-z_]\w*+|->[\[{]"
    rb"|(?:get|set);|&self\b|&mut\b"
    rb"|[A-Za-z_]\w*+(?:!(?=[(\[])|\?(?=[\s.)]))?+"
    rb'|"""|<\?php|</|/>|[-+*/%=<>!&|:?.~^]{1,3}+'
)
_METHOD_CALLS = re.compile(rb"\w\.[a-z]\w*+\(")
_ALIKE = {b"$": b"$w", b"@": b"@w", b":": b":w", b"!": b"w!", b"?": b"w?"}
_COUNTED = 3  # a marker counts as often as it comes, up to here: one idiom must not decide alone

_SHEBANG = re.compile(rb"#![^\n]{0,60}?\b(python|node|bash|zsh|dash|ksh|sh|ruby|perl|php|lua)")
_SHELLS = {"zsh", "dash", "ksh", "sh"}

_NO_PROGRAMS = frozenset({"html", "xml", "json", "yaml", "toml", "css", "latex", "make"})

_CLEAR = 3.0  # one strong marker, or two weak ones and no sign against


def language_of_content(code: bytes) -> str:
    """The language that the markers in the first 16 KiB speak for; ``""`` if they say too little.

    Notes
    -----
    O(1) in the length of the code: linear in the sample, whatever it holds.
    """
    return _judge(code)[0]


def languages_of_content(code: bytes) -> tuple[str, ...]:
    """The language of the content and, if it fits another nearly as well, the other.

    Ten lines of arithmetic can be C as well as Java, and only a parse could tell.
    """
    found, scores = _judge(code)
    if not found:
        return ()
    first = _FAMILY.get(found, found)
    others = (language for language in scores if language != first)
    second = max(others, key=scores.__getitem__, default=first)
    is_near = second != first and scores[second] >= max(_CLEAR, 0.75 * scores[first])
    return (found, second) if is_near else (found,)


def contradicted(code: bytes, language: str) -> str:
    """The language that the content speaks for so clearly that a claim of ``language`` is in doubt.

    ``""`` if there is none. C claimed as C++ is no contradiction, as C++ takes in C; C++ claimed as
    C is one, and so with TypeScript and JavaScript.
    """
    found, scores = _judge(code)
    if not found or found == language:
        return ""
    if _FAMILY.get(found, found) == _FAMILY.get(language, language):
        is_narrower = found in _FAMILY and language not in _FAMILY
        return found if is_narrower else ""
    claimed = scores.get(_FAMILY.get(language, language), 0.0)
    return found if scores[_FAMILY.get(found, found)] >= 1.5 * max(claimed, 0.0) + 8 else ""


def is_judged(language: str) -> bool:
    """Whether content can speak against a claim of the language.

    A program in a language without markers here looks like one of its relatives, as Dart like
    Java; data and styles look like no program at all.
    """
    return _FAMILY.get(language, language) in _MARKERS or language in _NO_PROGRAMS


def _judge(code: bytes) -> tuple[str, dict[str, float]]:
    sample = code[:_SAMPLE_BYTES]
    if shebang := _SHEBANG.match(sample):
        name = shebang[1].decode()
        name = {"node": "javascript"}.get(name, "bash" if name in _SHELLS else name)
        return name, {_FAMILY.get(name, name): 100.0}
    markers = _markers(sample)
    scores: dict[str, float] = {}
    for marker, count in markers.items():
        for language, weight in _WEIGHTS.get(marker, ()):
            scores[language] = scores.get(language, 0.0) + weight * count
    for language, signs in _SIGNS.items():
        if not any(sign in markers for sign in signs):
            scores[language] = scores.get(language, 0.0) * 0.3
    extra = {}
    for name, weights in _WITHIN_FAMILY.items():
        found = [(weights[m], n) for m, n in markers.items() if m in weights]
        extra[name] = sum(weight * count for weight, count in found)
        if family := _FAMILY.get(name):
            strong = sum(weight * count for weight, count in found if weight >= 3)
            scores[family] = scores.get(family, 0.0) + strong
    best = max(scores.items(), key=lambda item: item[1], default=("", 0.0))
    if best[1] < _CLEAR:
        return "", scores
    language = best[0]
    if language == "c" and extra["cpp"] >= max(_CLEAR, 0.15 * best[1]):
        language = "cpp"
    elif language == "javascript" and extra["typescript"] >= _CLEAR:
        language = "tsx" if extra["jsx"] >= _CLEAR else "typescript"
    return language, scores


def _markers(sample: bytes) -> dict[bytes, int]:
    """How often each marker of any language comes in the sample, up to ``_COUNTED``."""
    counts = Counter(tail + b"$" for tail in _TAILS.findall(sample))
    counts[b";$"] += counts[b"});$"]
    counts[b".m("] = len(_METHOD_CALLS.findall(sample))
    bare = _QUOTED.sub(lambda found: b' """ ' if found[1] else b' "" ', sample)
    for first, second in _HEADS.findall(bare):
        counts[b"^" + first] += 1
        if second:
            counts[b"^" + first + b":" + second] += 1
    for token, count in Counter(_TOKENS.findall(bare)).items():
        counts[token] += count
        if token[:1] in b"$@:" and token[1:2].isalpha():
            counts[_ALIKE[token[:1]]] += count
        elif token == b"->[":
            counts[b"->{"] += count
        elif token[0] in b":?" and token[-1:].isalpha():
            counts[b":t"] += count
        elif token[-1:] in b"!?" and token[:1].isalpha():
            counts[_ALIKE[token[-1:]]] += count
    return {marker: min(count, _COUNTED) for marker, count in counts.items()}
