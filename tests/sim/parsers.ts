/**
 * Attacks every parser of foreign input, with mutated valid input and with random input. Whatever
 * comes, a parser must return a value or refuse in an orderly way, soon, and must not allocate memory
 * for a length that is only claimed. Where more must hold (accepted input formats back to itself, no
 * mutation convicts anybody), the parser's `run` checks it.
 *
 * @module
 */
import { artefacts } from "./parsers/artefacts.ts";
import { configuration } from "./parsers/configuration.ts";
import { gathering } from "./parsers/gathered.ts";
import { type Attack, attack, type ParserReport } from "./parsers/harness.ts";
import { http } from "./parsers/http.ts";
import { journals } from "./parsers/journals.ts";
import { frames, notes } from "./parsers/notes.ts";
import { parcels } from "./parsers/parcels.ts";
import type { ParserUnderTest } from "./parsers/parser.ts";
import { policies } from "./parsers/policies.ts";
import { proofs } from "./parsers/proofs.ts";
import { records } from "./parsers/records.ts";
import { cosignatures, typedNotes } from "./parsers/signatures.ts";
import { sessions } from "./parsers/sessions.ts";
import { sources } from "./parsers/sources.ts";
import { makeStage } from "./parsers/stage.ts";
import { vkeys } from "./parsers/vkeys.ts";

/** Every parser of foreign input, each with valid input made from fixed keys. */
export async function parsersUnderTest(): Promise<readonly ParserUnderTest[]> {
  const stage = await makeStage();
  return [
    ...frames(stage),
    ...notes(stage),
    ...typedNotes(),
    cosignatures(stage),
    ...vkeys(stage),
    ...proofs(stage),
    ...policies(stage),
    ...records(stage),
    ...parcels(stage),
    ...await sessions(),
    ...journals(stage),
    ...sources(stage),
    ...http(stage),
    gathering(stage),
    ...artefacts(stage),
    ...configuration(stage),
  ];
}

/** Gives each parser its share of the cases; by default all parsers. */
export async function fuzzParsers(
  { parsers, ...rest }: Omit<Attack, "parsers"> & Partial<Pick<Attack, "parsers">>,
): Promise<readonly ParserReport[]> {
  return await attack({ ...rest, parsers: parsers ?? await parsersUnderTest() });
}
