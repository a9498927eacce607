"""What each tree-sitter grammar calls things: data, read by `dedup.syntax`.

A grammar names its own kinds of node. This table says which of them are identifiers, literals,
functions, and which carry no meaning and go: parentheses, braces, statement and list wrappers.
A kind that no field mentions is kept as itself. Lists were read off the symbol tables of the
versions named in pyproject.toml; tests/test_syntax.py fails when a grammar gains a named terminal
that is neither here nor in its own list of terminals with fixed text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["LANGUAGES", "Grammar"]

# These mean the same wherever they occur.
_WRAPPERS = """
    parenthesized_expression expression_statement empty_statement
    program module source_file translation_unit compilation_unit chunk
    block statement_block compound_statement statement_list declaration_list body_statement
    class_body interface_body enum_body template_body function_body field_declaration_list
    argument_list arguments parameters parameter_list formal_parameters condition_clause
"""
_DROPPED = """
    comment line_comment block_comment multiline_comment html_comment hash_bang_line shebang
    shebang_line escape_sequence string_start string_content string_end string_fragment
    heredoc_content heredoc_end
"""


@dataclass(frozen=True, slots=True)
class Grammar:
    """One grammar: where it is installed and what its kinds of node are.

    Attributes
    ----------
    module, function : str
        The importable module, and what in it gives the language.
    names, members, labels, strings, numbers : str
        Kinds that become one token of that class, separated by blanks. `members` are identifiers
        that only ever name a member.
    templates, interpolations : str
        Strings that may hold code, and the kinds inside them that do.
    wrappers, dropped : str
        Kinds that give no token themselves; kinds that vanish with all they hold. They add to
        what every grammar has.
    functions, methods, classes : str
        Kinds that are units.
    namers : str
        Kinds that name an unnamed unit which they hold: ``const f = () => 1``.
    inner_names : str
        Kinds that name the unit they are a child of, where no field says so.
    accessors, separators : str
        Tokens after which an identifier is a member; tokens that make the identifier before them a
        label where it began one of the `labelled` kinds.
    labelled, labelled_nodes : str
        Those kinds: without a token of their own, and with one.
    kept : str
        Tokens that are words or brackets and yet tell one node from another.
    statement : str
        A statement that is no code when it holds only a string: a docstring, ``"use strict"``.
    same : mapping
        Kinds that count as another kind, for a spelling that formatters and minifiers change.
    """

    module: str
    names: str
    strings: str
    numbers: str
    function: str = "language"
    members: str = ""
    labels: str = ""
    templates: str = ""
    interpolations: str = ""
    wrappers: str = ""
    dropped: str = ""
    functions: str = ""
    methods: str = ""
    classes: str = ""
    namers: str = ""
    inner_names: str = ""
    accessors: str = "."
    separators: str = ""
    labelled: str = ""
    labelled_nodes: str = ""
    kept: str = ""
    statement: str = ""
    same: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_wrappers(self) -> frozenset[str]:
        """Kinds that give no token themselves."""
        return frozenset(f"{_WRAPPERS} {self.wrappers}".split())

    @property
    def all_dropped(self) -> frozenset[str]:
        """Kinds that vanish with all they hold."""
        return frozenset(f"{_DROPPED} {self.dropped}".split())


_PYTHON = Grammar(
    "tree_sitter_python",
    names="identifier",
    strings="",
    numbers="integer float",
    templates="string concatenated_string",
    interpolations="interpolation format_expression",
    wrappers=(
        "lambda_parameters format_specifier typed_parameter as_pattern_target "
        "parenthesized_list_splat"
    ),
    # Annotations, which minifiers strip, are of the kind `type`.
    dropped="type type_conversion line_continuation escape_interpolation",
    functions="function_definition",
    classes="class_definition",
    separators="=",
    labelled_nodes="keyword_argument keyword_pattern",
    kept="and or in is not",
    statement="expression_statement",
    same={
        "typed_default_parameter": "default_parameter",
        "expression_list": "tuple",
        "pattern_list": "tuple_pattern",
    },
)

_JAVASCRIPT = Grammar(
    "tree_sitter_javascript",
    names=(
        "identifier shorthand_property_identifier shorthand_property_identifier_pattern "
        "statement_identifier"
    ),
    members="property_identifier private_property_identifier",
    strings="string regex jsx_text",
    numbers="number",
    templates="template_string",
    interpolations="template_substitution",
    wrappers="switch_body",
    dropped="html_character_reference regex_pattern regex_flags",
    functions=(
        "function_declaration function_expression generator_function "
        "generator_function_declaration arrow_function"
    ),
    methods="method_definition",
    classes="class_declaration class",
    namers="variable_declarator assignment_expression pair field_definition",
    accessors=". optional_chain ?.",
    separators=": =",
    labelled_nodes="pair pair_pattern jsx_attribute",
    kept="in instanceof typeof void delete of",
    statement="expression_statement",
    same={
        "lexical_declaration": "variable_declaration",
        "function_expression": "function_declaration",
    },
)

_TYPESCRIPT_NAMES = f"{_JAVASCRIPT.names} type_identifier"


def _typescript(function: str) -> Grammar:
    return Grammar(
        "tree_sitter_typescript",
        function=function,
        names=_TYPESCRIPT_NAMES,
        members=_JAVASCRIPT.members,
        strings=_JAVASCRIPT.strings,
        numbers=_JAVASCRIPT.numbers,
        templates="template_string template_literal_type",
        interpolations="template_substitution template_type",
        wrappers="switch_body parenthesized_type",
        dropped=_JAVASCRIPT.dropped,
        functions=_JAVASCRIPT.functions,
        methods="method_definition",
        classes="class_declaration abstract_class_declaration class interface_declaration",
        namers="variable_declarator assignment_expression pair public_field_definition",
        accessors=_JAVASCRIPT.accessors,
        separators=_JAVASCRIPT.separators,
        labelled_nodes=_JAVASCRIPT.labelled_nodes,
        kept=f"{_JAVASCRIPT.kept} keyof",
        statement="expression_statement",
        same=_JAVASCRIPT.same,
    )


_JAVA = Grammar(
    "tree_sitter_java",
    names="identifier type_identifier",
    strings="character_literal",
    numbers=(
        "decimal_integer_literal hex_integer_literal octal_integer_literal binary_integer_literal "
        "decimal_floating_point_literal hex_floating_point_literal"
    ),
    templates="string_literal",
    interpolations="string_interpolation",
    wrappers=(
        "constructor_body inferred_parameters type_list switch_block enum_body_declarations "
        "annotation_argument_list annotation_type_body"
    ),
    dropped="multiline_string_fragment",
    functions="lambda_expression",
    methods="method_declaration constructor_declaration compact_constructor_declaration",
    classes=(
        "class_declaration interface_declaration enum_declaration record_declaration "
        "annotation_type_declaration"
    ),
    namers="variable_declarator assignment_expression",
    accessors=". ::",
    separators="=",
    labelled_nodes="element_value_pair",
    kept="instanceof",
)

_C_MEMBERS = "field_identifier"
_C_NUMBERS = "number_literal"
_C_STRINGS = "string_literal concatenated_string char_literal system_lib_string"
_C_WRAPPERS = "parenthesized_declarator abstract_parenthesized_declarator"

_C = Grammar(
    "tree_sitter_c",
    names="identifier type_identifier statement_identifier",
    members=_C_MEMBERS,
    strings=_C_STRINGS,
    numbers=_C_NUMBERS,
    wrappers=f"{_C_WRAPPERS} enumerator_list",
    dropped="character",
    functions="function_definition",
    classes="struct_specifier union_specifier enum_specifier",
    namers="type_definition",
    accessors=". ->",
)

_CPP = Grammar(
    "tree_sitter_cpp",
    names="identifier type_identifier statement_identifier namespace_identifier",
    members=_C_MEMBERS,
    strings=f"{_C_STRINGS} raw_string_literal user_defined_literal",
    numbers=_C_NUMBERS,
    wrappers=f"{_C_WRAPPERS} enumerator_list subscript_argument_list field_initializer_list",
    dropped="character raw_string_content raw_string_delimiter literal_suffix",
    functions="function_definition lambda_expression",
    classes="class_specifier struct_specifier union_specifier enum_specifier",
    namers="type_definition init_declarator assignment_expression",
    accessors=". -> ::",
    kept="and or not xor bitand bitor compl and_eq or_eq xor_eq not_eq",
)

_GO = Grammar(
    "tree_sitter_go",
    names="identifier type_identifier package_identifier label_name blank_identifier",
    members="field_identifier",
    strings="interpreted_string_literal raw_string_literal rune_literal",
    numbers="int_literal float_literal imaginary_literal",
    wrappers=(
        "expression_list literal_element literal_value import_spec_list parenthesized_type "
        "var_spec_list"
    ),
    dropped="interpreted_string_literal_content raw_string_literal_content",
    functions="function_declaration func_literal",
    methods="method_declaration",
    classes="type_spec",
    namers="var_spec short_var_declaration assignment_statement",
    separators=":",
    labelled_nodes="keyed_element",
)

_RUST = Grammar(
    "tree_sitter_rust",
    names="identifier type_identifier metavariable",
    members="field_identifier shorthand_field_identifier",
    strings="string_literal raw_string_literal char_literal",
    numbers="integer_literal float_literal",
    wrappers=(
        "closure_parameters match_block match_pattern field_initializer_list token_tree "
        "ordered_field_declaration_list enum_variant_list"
    ),
    dropped="doc_comment outer_doc_comment_marker inner_doc_comment_marker",
    functions="function_item closure_expression",
    classes="struct_item enum_item union_item trait_item impl_item",
    namers="let_declaration",
    accessors=". ::",
    separators=":",
    labelled_nodes="field_initializer field_pattern",
)

_C_SHARP = Grammar(
    "tree_sitter_c_sharp",
    names="identifier discard",
    strings="string_literal verbatim_string_literal raw_string_literal character_literal",
    numbers="integer_literal real_literal",
    templates="interpolated_string_expression",
    interpolations="interpolation",
    wrappers=(
        "bracketed_argument_list bracketed_parameter_list switch_body accessor_list "
        "global_statement parenthesized_pattern enum_member_declaration_list"
    ),
    dropped=(
        "shebang_directive string_literal_content character_literal_content raw_string_start "
        "raw_string_content raw_string_end string_literal_encoding interpolation_start "
        "interpolation_brace interpolation_quote interpolation_format_clause"
    ),
    functions="local_function_statement lambda_expression anonymous_method_expression",
    methods=(
        "method_declaration constructor_declaration destructor_declaration operator_declaration "
        "property_declaration"
    ),
    classes=(
        "class_declaration struct_declaration interface_declaration record_declaration "
        "enum_declaration"
    ),
    namers="variable_declarator assignment_expression",
    accessors=". -> ::",
    separators=": =",
    labelled="argument",
    labelled_nodes="attribute_argument",
    kept="this base is as in typeof and or not",
)

_RUBY = Grammar(
    "tree_sitter_ruby",
    names="identifier constant instance_variable class_variable global_variable",
    members="simple_symbol",
    labels="hash_key_symbol",
    strings="character heredoc_beginning",
    numbers="integer float",
    templates="string bare_string chained_string regex subshell delimited_symbol bare_symbol",
    interpolations="interpolation",
    wrappers=(
        "body_statement block_body method_parameters block_parameters lambda_parameters "
        "parenthesized_statements heredoc_body then do do_block"
    ),
    dropped="uninterpreted",
    functions="method singleton_method lambda",
    classes="class module singleton_class",
    namers="assignment",
    accessors=". &. ::",
    kept="and or not defined? in",
)

_PHP = Grammar(
    "tree_sitter_php",
    function="language_php",
    names="name",
    strings="nowdoc text",
    numbers="integer float",
    templates="string encapsed_string heredoc shell_command_expression",
    wrappers=(
        "variable_name argument colon_block heredoc_body match_block enum_declaration_list "
        "switch_block array_element_initializer"
    ),
    dropped="php_tag php_end_tag nowdoc_string heredoc_start",
    functions="function_definition anonymous_function arrow_function",
    methods="method_declaration",
    classes=(
        "class_declaration interface_declaration trait_declaration enum_declaration anonymous_class"
    ),
    namers="assignment_expression",
    accessors="-> ?-> ::",
    separators=":",
    labelled="argument",
    kept=". instanceof and or xor",
)

_KOTLIN = Grammar(
    "tree_sitter_kotlin",
    names="identifier label",
    strings="character_literal",
    numbers="number_literal float_literal",
    templates="string_literal multiline_string_literal",
    interpolations="interpolation",
    wrappers=(
        "function_value_parameters value_arguments class_parameters lambda_parameters "
        "enum_class_body delegation_specifiers annotated_lambda"
    ),
    functions="function_declaration anonymous_function lambda_literal",
    methods="secondary_constructor getter setter",
    classes="class_declaration object_declaration companion_object",
    accessors=". ?. ::",
    separators="=",
    labelled="value_argument",
    kept="is !is in !in as as?",
)

_SWIFT = Grammar(
    "tree_sitter_swift",
    names="simple_identifier type_identifier statement_label",
    strings="regex_literal",
    numbers="integer_literal real_literal hex_literal oct_literal bin_literal",
    templates="line_string_literal multi_line_string_literal raw_string_literal",
    interpolations="interpolated_expression raw_str_interpolation",
    wrappers=(
        "statements call_suffix value_arguments value_argument navigation_suffix enum_class_body "
        "protocol_body lambda_function_type_parameters identifier"
    ),
    labels="value_argument_label",
    dropped=(
        "line_str_text multi_line_str_text str_escaped_char raw_str_part raw_str_end_part "
        "raw_str_continuing_indicator raw_str_interpolation_start"
    ),
    functions="function_declaration lambda_literal",
    methods="init_declaration deinit_declaration subscript_declaration",
    classes="class_declaration protocol_declaration",
    namers="property_declaration assignment",
    kept="is as in",
)

_SCALA = Grammar(
    "tree_sitter_scala",
    names="identifier type_identifier",
    # An operator is a method, and a renaming leaves it.
    members="operator_identifier",
    strings="string character_literal",
    numbers="integer_literal floating_point_literal",
    templates="interpolated_string",
    interpolations="interpolation",
    wrappers=(
        "indented_block indented_cases case_block class_parameters bindings package_identifier "
        "with_template_body"
    ),
    dropped="xml_comment using_directive_key using_directive_value",
    functions="function_definition lambda_expression",
    classes=(
        "class_definition object_definition trait_definition enum_definition given_definition "
        "package_object"
    ),
    namers="val_definition var_definition",
)

_BASH = Grammar(
    "tree_sitter_bash",
    names="variable_name",
    # Commands, options and bare arguments.
    members="word test_operator special_variable_name extglob_pattern",
    strings="raw_string ansi_c_string regex",
    numbers="number file_descriptor",
    templates="string translated_string",
    interpolations="simple_expansion expansion command_substitution arithmetic_expansion",
    wrappers="do_group command_name heredoc_body",
    dropped="heredoc_start",
    functions="function_definition",
    accessors="",
    same={"simple_expansion": "expansion"},
)

_SQL = Grammar(
    "tree_sitter_sql",
    names="identifier",
    strings="literal",
    numbers="",
    wrappers="statement object_reference",
    dropped="marginalia dollar_quote",
    functions="create_function create_procedure create_trigger",
    inner_names="object_reference",
)

_LUA = Grammar(
    "tree_sitter_lua",
    names="identifier",
    strings="string",
    numbers="number",
    wrappers="expression_list variable_list",
    dropped="comment_content",
    functions="function_declaration function_definition",
    namers="assignment_statement field",
    accessors=". :",
    separators="=",
    labelled_nodes="field",
    kept=".. and or not #",
)

LANGUAGES: Mapping[str, Grammar] = {
    "python": _PYTHON,
    "javascript": _JAVASCRIPT,
    "typescript": _typescript("language_typescript"),
    "tsx": _typescript("language_tsx"),
    "java": _JAVA,
    "c": _C,
    "cpp": _CPP,
    "go": _GO,
    "rust": _RUST,
    "c_sharp": _C_SHARP,
    "ruby": _RUBY,
    "php": _PHP,
    "kotlin": _KOTLIN,
    "swift": _SWIFT,
    "scala": _SCALA,
    "bash": _BASH,
    "sql": _SQL,
    "lua": _LUA,
}
"""By the name that `dedup.syntax` takes; the first nine are installed with dedup."""
