/**
 * A parser under attack, and its promises.
 *
 * @module
 */
import type fc from "fast-check";

/** What became of one input. */
export type Outcome = "accepted" | "refused";

/** A class of errors. */
type ErrorClass = abstract new (...args: never[]) => Error;

/** One parser, and the inputs for it. */
export interface ParserUnderTest<Input = unknown> {
  readonly name: string;
  /** Its share of all cases, relative to the others. Cheap parsers get more. */
  readonly share: number;
  readonly inputs: fc.Arbitrary<Input>;
  /** Errors that refuse in an orderly way, besides MalformedError; all others are crashes. */
  readonly orderly?: readonly ErrorClass[];
  /** Feeds it one input and checks the result. */
  run(input: Input): Outcome | Promise<Outcome>;
  /** Inputs that are valid, each to be accepted. */
  readonly valid?: readonly Input[];
  /** How a bare text is fed to it, if it can be: for long texts. */
  feed?(text: string): Input;
}

/** A parser broke one of its promises. */
export class PromiseBroken extends Error {}

/** Fails unless a promise is kept. */
export function insist(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new PromiseBroken(promise);
}

/** Lets one table have parsers of different inputs. */
export function parser<Input>(fields: ParserUnderTest<Input>): ParserUnderTest {
  return fields as ParserUnderTest;
}
