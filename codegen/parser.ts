/**
 * Tokens to a syntax tree: RFC 4506 section 6.3, RFC 5531 section 12.2, and what rpcgen takes beyond them. After a mistake it goes on
 * behind the next `;` or `}`, so that one run finds many.
 */

import { quote, type Report, type Span } from "./diagnostics.ts";
import { applyDirectives } from "./directives.ts";
import { type Comment, lex, type Token } from "./lexer.ts";
import type { Primitive } from "./model.ts";
import { parseNumber } from "./number.ts";
import type {
  Argument,
  Declaration,
  Declarator,
  Define,
  DefinitionSyntax,
  EnumBody,
  EnumMember,
  Include,
  Name,
  ProcedureSyntax,
  StructBody,
  SyntaxTree,
  Tag,
  TypeSpecifier,
  UnionBody,
  Value,
  VersionSyntax,
  VoidDeclaration,
} from "./syntax.ts";

/** Reports into `report` and always returns a tree; throws only what {@link Report} throws. */
export function parse(report: Report): SyntaxTree {
  return new Parser(report).file();
}

/** RFC 4506 section 6.4 (1). */
const RESERVED: ReadonlySet<string> = new Set(
  "bool case const default double quadruple enum float hyper int opaque string struct switch typedef union unsigned void".split(
    " ",
  ),
);
/** RFC 5531 section 12.3 (1): reserved too, but only a file with a program can know. */
const RESERVED_WITH_PROGRAMS: ReadonlySet<string> = new Set(["program", "version"]);
const PRIMITIVES: ReadonlyMap<string, Primitive> = new Map(
  (["int", "hyper", "float", "double", "quadruple", "bool"] as const).map((name) => [name, name]),
);
/** What may follow `unsigned`. `long` has four bytes on the wire: rpcgen calls xdr_u_long. */
const UNSIGNED: ReadonlyMap<string, Primitive> = new Map([
  ["int", "uint"],
  ["hyper", "uhyper"],
  ["char", "uchar"],
  ["short", "ushort"],
  ["long", "uint"],
]);

const MAX_NESTING = 100;
const MAX_NAME = 255;

const TAGS = [
  ["struct", "a struct's name"],
  ["union", "a union's name"],
  ["enum", "an enum's name"],
] as const;

/** A definition of which the name is read. */
interface Begun {
  readonly kind: Tag;
  readonly name: Name;
}

/** Thrown and caught inside the parser, after its reason is reported. */
const panic = Symbol("panic");

class Parser {
  readonly #report: Report;
  readonly #tokens: Iterator<Token>;
  readonly #includes: Include[] = [];
  readonly #defines: Define[] = [];
  readonly #macros = new Map<string, Span>();
  readonly #programWords: Name[] = [];
  /** Where the definition that is being read starts, and how the next one does where that is read already. */
  #start: Span;
  #begun: Begun | undefined;
  /** The words of the definition that is being read, and those among what was passed over after mistakes. */
  #words: string[] = [];
  readonly #lost = new Set<string>();
  /** The token to look at. */
  #next: Token;
  /** The token before it. */
  #last: Token;
  #blamed: Token | undefined;
  #nesting = 0;
  #allLost = false;

  constructor(report: Report) {
    this.#report = report;
    const found = { includes: this.#includes, defines: this.#defines, macros: this.#macros };
    this.#tokens = applyDirectives(lex(report.source.text), found, report);
    this.#next = this.#last = { kind: "punctuation", text: "", line: 1, column: 1, length: 0, comments: [] };
    this.#take();
    this.#start = this.#next;
  }

  file(): SyntaxTree {
    const definitions: DefinitionSyntax[] = [];
    while (this.#next.kind !== "end") {
      const begun = this.#begun;
      this.#begun = undefined;
      this.#start = begun === undefined ? this.#next : this.#start;
      this.#words = [this.#next.text];
      try {
        definitions.push(begun === undefined ? this.#definition() : this.#tagged(begun));
        this.#semicolon("the definition");
      } catch (error) {
        this.#recover(error, ";", 0, true);
        if (this.#begun === undefined && this.#accept("}")) this.#accept(";");
      }
    }
    if (definitions.some(({ kind }) => kind === "program")) {
      for (const { text, span } of this.#programWords) this.#report.error(span, `${quote(text)} is a reserved word`);
    }
    return {
      definitions,
      includes: this.#includes,
      defines: this.#defines,
      macros: this.#macros,
      lost: this.#allLost ? "all" : this.#lost,
    };
  }

  // Definitions

  #definition(): DefinitionSyntax {
    if (this.#accept("const")) {
      const name = this.#name("a constant's name");
      this.#expect("=", `'const ${name.text}'`);
      return { kind: "const", name, value: this.#constant() };
    }
    if (this.#accept("typedef")) {
      if (this.#next.text === "void") this.#fail("a typedef cannot be void", this.#next);
      return { kind: "typedef", declaration: this.#declaration() };
    }
    for (const [kind, what] of TAGS) if (this.#accept(kind)) return this.#tagged({ kind, name: this.#name(what) });
    if (this.#accept("program")) return this.#program();
    return this.#fail("expected a definition (const, typedef, enum, struct, union or program)");
  }

  #tagged({ kind, name }: Begun): DefinitionSyntax {
    const after = quote(name.text);
    if (kind === "struct") return { kind, name, body: this.#structBody(after) };
    if (kind === "union") return { kind, name, body: this.#unionBody(after) };
    return { kind, name, body: this.#enumBody(after) };
  }

  /** rpcgen lets a `const` be a string. */
  #constant(): Value {
    if (this.#next.kind !== "string") return this.#value("a number");
    const token = this.#take();
    return { kind: "string", span: token };
  }

  #program(): DefinitionSyntax {
    const name = this.#name("a program's name");
    const versions: VersionSyntax[] = [];
    this.#block(
      quote(name.text),
      ";",
      () => {
        if (!this.#accept("version")) this.#fail("expected 'version'");
        const version = this.#name("a version's name");
        const procedures: ProcedureSyntax[] = [];
        this.#block(quote(version.text), ";", () => {
          procedures.push(this.#procedure());
          this.#semicolon("the procedure");
        });
        this.#expect("=", "the version");
        versions.push({ name: version, number: this.#value("a version number"), procedures });
        this.#semicolon("the version");
      },
      false,
    );
    this.#expect("=", "the program");
    return { kind: "program", name, versions, number: this.#value("a program number") };
  }

  #procedure(): ProcedureSyntax {
    const { comments } = this.#next;
    const result = this.#argument();
    const name = this.#name("a procedure's name");
    this.#expect("(", `'${name.text}'`);
    const args: Argument[] = [];
    if (this.#next.text !== ")") {
      do {
        const argument = this.#argument();
        if (this.#next.kind === "name") this.#name("an argument's name");
        args.push(this.#argumentDeclarator(argument));
      } while (this.#accept(","));
    }
    this.#expect(")", "the arguments");
    this.#expect("=", "the procedure");
    return { name, number: this.#value("a procedure number"), args, result, comments };
  }

  #argument(): Argument {
    if (this.#next.text === "void") {
      return { type: { kind: "primitive", primitive: "void", span: this.#take() }, declarator: { kind: "plain" } };
    }
    const type = this.#type();
    return { type, declarator: type.kind === "string" ? { kind: "variable" } : { kind: "plain" } };
  }

  /** rpcgen takes `T *`, `T name`, `string` and `string name<10>` as arguments; the RFC takes `T` only. */
  #argumentDeclarator(argument: Argument): Argument {
    if (this.#accept("*")) {
      if (this.#next.kind === "name") this.#name("an argument's name");
      return { ...argument, declarator: { kind: "pointer" } };
    }
    if (argument.type.kind === "string" && this.#next.text === "<")
      return { ...argument, declarator: this.#declarator() };
    return argument;
  }

  // Declarations and types

  #declaration(): Declaration {
    const type = this.#type();
    const pointer = this.#accept("*");
    const name = this.#name(`a name after the type`);
    const declarator: Declarator = pointer ? { kind: "pointer" } : this.#declarator();
    if (this.#next.text === "[" || this.#next.text === "<")
      this.#fail("a declaration has one of '*', '[n]' and '<n>': name what comes first by a typedef");
    return { type, name, declarator, comments: [] };
  }

  #declarator(): Declarator {
    if (this.#accept("[")) {
      const length = this.#value("a length");
      this.#expect("]", "the length");
      return { kind: "fixed", length };
    }
    if (this.#accept("<")) {
      if (this.#accept(">")) return { kind: "variable" };
      const max = this.#value("a limit or '>'");
      this.#expect(">", "the limit");
      return { kind: "variable", max };
    }
    return { kind: "plain" };
  }

  #type(): TypeSpecifier {
    const span: Span = this.#next;
    const word = this.#next.text;
    if (this.#next.kind !== "name") this.#fail("expected a type");
    if (word === "opaque" || word === "string") {
      this.#take();
      return { kind: word, span };
    }
    if (word === "struct" || word === "union" || word === "enum") return this.#taggedType(word, this.#take());
    if (word === "unsigned") {
      this.#take();
      const primitive = UNSIGNED.get(this.#next.text);
      if (primitive === undefined) return { kind: "primitive", primitive: "uint", span };
      const { text } = this.#take();
      if (text === "short" || text === "long") this.#afterShortOrLong();
      return { kind: "primitive", primitive, span };
    }
    const primitive = PRIMITIVES.get(word);
    if (primitive !== undefined) {
      this.#take();
      return { kind: "primitive", primitive, span };
    }
    const name = this.#name("a type").text;
    if (name === "short" || name === "long") this.#afterShortOrLong();
    return { kind: "named", name, span };
  }

  #afterShortOrLong(): void {
    if (this.#next.text === "long") this.#fail("XDR has no 'long long': its 64-bit integer is 'hyper'", this.#next);
    this.#accept("int");
  }

  #taggedType(tag: Tag, span: Span): TypeSpecifier {
    const nested = tag === "union" ? this.#next.text === "switch" : this.#next.text === "{";
    if (!nested) {
      const name = this.#name(`a ${tag}'s name`);
      if (this.#next.text === "{" || (tag === "union" && this.#next.text === "switch")) {
        // No further to the right than what is open: that was to end before.
        const missing = span.column <= this.#start.column && span.line > this.#start.line;
        const why = missing
          ? `is a '}' missing for the definition of line ${this.#start.line}?`
          : "leave its name out, or define it before";
        this.#blame(this.#next, `${quote(name.text)} is defined inside another definition: ${why}`, span);
        if (missing) {
          this.#begun = { kind: tag, name };
          this.#start = span;
        }
        throw panic;
      }
      return { kind: "named", name: name.text, tag, span: name.span };
    }
    if (this.#nesting >= MAX_NESTING) this.#fail(`types nested deeper than ${MAX_NESTING}`, span);
    this.#nesting += 1;
    try {
      if (tag === "struct") return { kind: "struct", span, body: this.#structBody("'struct'") };
      if (tag === "union") return { kind: "union", span, body: this.#unionBody("'union'") };
      return { kind: "enum", span, body: this.#enumBody("'enum'") };
    } finally {
      this.#nesting -= 1;
    }
  }

  #structBody(after: string): StructBody {
    const fields: (Declaration | VoidDeclaration)[] = [];
    const comments = this.#block(after, ";", () => fields.push(this.#member()));
    return { fields, comments };
  }

  /** A declaration with its `;` and the comments behind that. */
  #member(): Declaration | VoidDeclaration {
    const declaration = this.#next.text === "void" ? { void: this.#take() } : this.#declaration();
    this.#semicolon("name" in declaration ? quote(declaration.name.text) : "'void'");
    return { ...declaration, comments: this.#commentsOnLastLine() };
  }

  #unionBody(after: string): UnionBody {
    this.#expect("switch", after);
    this.#expect("(", "'switch'");
    const discriminant = this.#next.text === "void" ? { void: this.#take() } : this.#declaration();
    this.#expect(")", "the discriminant");
    const arms: UnionBody["arms"][number][] = [];
    let otherwise: Declaration | VoidDeclaration | undefined;
    this.#block("the discriminant", ";", () => {
      if (otherwise !== undefined)
        this.#report.error(this.#next, "'default' must be the last arm, and there can be only one");
      if (this.#accept("default")) {
        this.#expect(":", "'default'");
        otherwise = this.#member();
        return;
      }
      if (this.#next.text !== "case") this.#fail("expected 'case' or 'default'");
      const labels: Value[] = [];
      while (this.#accept("case")) {
        labels.push(this.#value("a label"));
        this.#expect(":", "the label");
      }
      arms.push({ labels, body: this.#member() });
    });
    return otherwise === undefined ? { discriminant, arms } : { discriminant, arms, default: otherwise };
  }

  #enumBody(after: string): EnumBody {
    const members: EnumMember[] = [];
    let before: readonly Comment[] = [];
    this.#block(
      after,
      ",",
      (first) => {
        if (first) before = this.#next.comments;
        const name = this.#name("an enumerator");
        const value = this.#accept("=") ? { value: this.#value("a number") } : {};
        members.push({ name, ...value, comments: before });
        before = this.#next.comments;
        if (this.#next.text === "}") return;
        this.#expect(",", quote(name.text));
        before = [...before, ...this.#next.comments];
        if (this.#next.text === "}") this.#fail("expected an enumerator after ','");
      },
      false,
    );
    return { members };
  }

  /** `{`, members, `}`. Gives the comments on the opening line. Enumerators and versions begin with no word that a definition begins with. */
  #block(
    after: string,
    separator: ";" | ",",
    member: (first: boolean) => void,
    memberMayBeTagged = true,
  ): readonly Comment[] {
    const open = this.#next;
    this.#expect("{", after);
    const comments = this.#commentsOnLastLine();
    const startsDefinition = (): boolean =>
      this.#startsDefinitionOnly() || (!memberMayBeTagged && this.#mayStartDefinition());
    let first = true;
    while (first || this.#next.text !== "}" || this.#next.kind !== "punctuation") {
      if (this.#next.kind === "end" || startsDefinition()) {
        this.#fail(`expected '}' to close the '{' after ${after} in line ${open.line}`);
      }
      const from = this.#words.length - 1;
      try {
        member(first);
      } catch (error) {
        this.#recover(error, separator, from, !memberMayBeTagged);
        if (startsDefinition() || this.#begun !== undefined) throw panic;
      }
      first = false;
    }
    this.#take();
    return comments;
  }

  /** The comments after the last token, on its line. */
  #commentsOnLastLine(): readonly Comment[] {
    return this.#next.comments.filter(({ line }) => line === this.#last.line);
  }

  // Names and numbers

  #name(expected: string): Name {
    const token = this.#next;
    if (token.kind !== "name") this.#fail(`expected ${expected}`);
    if (RESERVED.has(token.text)) {
      this.#blame(token, `${quote(token.text)} is a reserved word: expected ${expected}`);
      throw panic;
    }
    const name = { text: token.text, span: token };
    if (token.length > MAX_NAME) this.#fail(`a name of ${token.length} letters, longer than ${MAX_NAME}`, token);
    if (RESERVED_WITH_PROGRAMS.has(token.text)) this.#programWords.push(name);
    this.#take();
    return name;
  }

  #value(expected: string): Value {
    const token = this.#next;
    if (token.kind === "name") {
      const { text, span } = this.#name(expected);
      return { kind: "name", text, span };
    }
    if (token.kind !== "number") this.#fail(`expected ${expected}`);
    this.#take();
    const value = parseNumber(token.text);
    if (typeof value === "bigint") return { kind: "literal", value, span: token };
    const why =
      value === "digits" ? `${quote(token.text)} is not a number` : `${quote(token.text)} does not fit in 64 bits`;
    this.#report.error(token, why);
    return { kind: "wrong", span: token };
  }

  // Moving on

  #take(): Token {
    this.#last = this.#next;
    let next = this.#tokens.next().value as Token;
    let reported = false;
    while (next.kind === "unknown" || next.kind === "unclosed") {
      if (next.kind === "unknown") this.#report.error(next, `unknown character ${quote(next.text)}`);
      else this.#report.error(next, next.text === "/*" ? "a comment without its end" : "a string without its end");
      if (next.text === "/*") this.#allLost = true;
      next = this.#tokens.next().value as Token;
      reported = true;
    }
    if (reported) this.#blamed = next; // that it is not what should stand here follows
    if (next.kind === "name") this.#words.push(next.text);
    this.#next = next;
    return this.#last;
  }

  #accept(text: string): boolean {
    if (this.#next.text !== text) return false;
    this.#take();
    return true;
  }

  #expect(text: string, after: string): void {
    if (!this.#accept(text)) this.#fail(`expected '${text}' after ${after}`);
  }

  /** A missing `;` at the end of a line is reported there, and reading goes on as if it stood there. */
  #semicolon(after: string): void {
    if (this.#accept(";")) return;
    if (this.#next.line === this.#last.line && this.#next.text !== "}") this.#fail(`expected ';' after ${after}`);
    const { line, column, length } = this.#last;
    this.#blame(this.#next, `expected ';' after ${after}, found ${describe(this.#next)}`, {
      line,
      column: column + length,
      length: 1,
    });
  }

  #fail(message: string, at?: Span): never {
    this.#blame(this.#next, at === undefined ? `${message}, found ${describe(this.#next)}` : message, at);
    throw panic;
  }

  /** One token is blamed for one mistake only: the rest is what follows from it. */
  #blame(token: Token, message: string, at: Span = token): void {
    if (this.#blamed === token) return;
    this.#blamed = token;
    this.#report.error(at, message);
  }

  /** Goes behind the next separator, or to the `}` that closes what the mistake is in. */
  #recover(error: unknown, separator: ";" | ",", from: number, mayStay: boolean): void {
    if (error !== panic) throw error;
    if (this.#begun === undefined) this.#passOver(separator, mayStay);
    const to = this.#words.length - (this.#next.kind === "name" ? 1 : 0); // that one is still to be read
    for (const word of this.#words.slice(from, to)) this.#lost.add(word);
  }

  #passOver(separator: ";" | ",", mayStay: boolean): void {
    let depth = 0;
    for (let moved = mayStay; this.#next.kind !== "end" && !this.#startsDefinitionOnly(); moved = true) {
      if (moved && depth === 0 && this.#mayStartDefinition()) return;
      const { text, kind } = this.#next;
      if (kind === "punctuation") {
        if (text === "}" && depth === 0) return;
        if (text === "{") depth += 1;
        if (text === "}") depth -= 1;
      }
      this.#take();
      if (text === separator && depth === 0) return;
    }
  }

  /** A word that definitions begin with, on another line than this one and no further to the right. */
  #mayStartDefinition(): boolean {
    const { kind, text, line, column } = this.#next;
    const word = text === "program" || TAGS.some(([tag]) => tag === text);
    return kind === "name" && word && line > this.#start.line && column <= this.#start.column;
  }

  /** A word that stands at the start of a definition and nowhere else shows where reading can go on. */
  #startsDefinitionOnly(): boolean {
    return this.#next.kind === "name" && (this.#next.text === "typedef" || this.#next.text === "const");
  }
}

function describe(token: Token): string {
  return token.kind === "end" ? "the end of the file" : quote(token.text);
}
