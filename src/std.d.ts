/**
 * Types of the modules this program uses that bring none. The npm mirror that the import map points
 * at carries the same JavaScript of @std as JSR but no types; these declarations are what
 * `deno check` holds uses to.
 */
declare module "@std/assert" {
  export class AssertionError extends Error {}
  export function assert(value: unknown, message?: string): asserts value;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertStrictEquals<T>(
    actual: unknown,
    expected: T,
    message?: string,
  ): asserts actual is T;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void;
  export function assertLess<T>(actual: T, expected: T, message?: string): void;
  type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;
  export function assertThrows<E extends Error = Error>(
    fn: () => unknown,
    errorClass: ErrorClass<E>,
    includes?: string,
    message?: string,
  ): E;
  export function assertRejects<E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    errorClass: ErrorClass<E>,
    includes?: string,
    message?: string,
  ): Promise<E>;
}

declare module "@std/bytes/concat" {
  export function concat(arrays: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
}

declare module "@std/bytes/equals" {
  export function equals(a: Uint8Array, b: Uint8Array): boolean;
}

declare module "@std/cli/parse-args" {
  export interface ParsedArgs {
    _: (string | number)[];
    [name: string]: unknown;
  }
  export function parseArgs(args: readonly string[], options: {
    string?: readonly string[];
    boolean?: readonly string[];
    collect?: readonly string[];
    stopEarly?: boolean;
    "--"?: boolean;
    unknown?: (arg: string, name?: string, value?: unknown) => unknown;
  }): ParsedArgs;
}

declare module "@std/encoding/hex" {
  export function encodeHex(data: string | Uint8Array | ArrayBuffer): string;
  export function decodeHex(hex: string): Uint8Array<ArrayBuffer>;
}

declare module "@std/fmt/colors" {
  type Paint = (text: string) => string;
  export const bold: Paint;
  export const dim: Paint;
  export const red: Paint;
  export const green: Paint;
  export const yellow: Paint;
  export const cyan: Paint;
  export function setColorEnabled(value: boolean): void;
}

declare module "@std/json/canonicalize" {
  /** RFC 8785 text of a JSON value. */
  export function canonicalize(value: unknown): string;
}

declare module "@std/path/join" {
  export function join(path: string, ...paths: string[]): string;
}

declare module "@std/text/levenshtein-distance" {
  export function levenshteinDistance(one: string, other: string): number;
}

declare module "dijkstrajs" {
  /** What each link costs: of each node, the nodes it leads to. */
  type Costs = Readonly<Record<string, Readonly<Record<string, number>>>>;
  const dijkstra: {
    /** Of each node that can be reached, the node before it on the cheapest path from `source`. */
    single_source_shortest_paths(costs: Costs, source: string): Record<string, string>;
  };
  export default dijkstra;
}

/** What is used of nodemailer. */
declare module "nodemailer" {
  interface Transport {
    sendMail(mail: {
      from: string;
      to: string[];
      subject: string;
      text: string;
      messageId: string;
      attachments: {
        filename: string;
        contentType: string;
        content: string;
        encoding?: string;
      }[];
      disableFileAccess: boolean;
      disableUrlAccess: boolean;
    }): Promise<{ rejected: unknown[] }>;
    close(): void;
  }
  export function createTransport(options: Record<string, unknown>): Transport;
}
