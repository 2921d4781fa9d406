import { type Attestation, attestationsOf } from "../federation/attestations.ts";
import type { ConflictRecord } from "../evidence/record.ts";
import { printable, printableJson } from "../tlog/malformed.ts";
import { type World, WorldError } from "../world/world.ts";
import { EXIT, type ExitCode } from "./command.ts";
import type { Prose } from "./prose.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Tells which other monitors have recorded the same case, by their journals that are mirrored here. It
 * says nothing if no journal has it.
 * @param state the state folder
 */
export async function tellAttestations(
  prose: Prose,
  { world, state, record }: { world: World; state: string; record: ConflictRecord },
): Promise<void> {
  let found;
  try {
    found = await attestationsOf({ files: world.files, state, evidenceId: record.evidence_id });
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    found = { attestations: [], unread: [error.message] };
  }
  const { attestations, unread } = found;
  if (attestations.length === 0 && unread.length === 0) return;
  prose.heading("Who else has recorded it");
  for (const { vkey, seq, recordedAt } of attestations) {
    prose.fact(printable(vkey.name), `entry ${seq} of its journal, ${printable(recordedAt)}`);
  }
  if (attestations.length > 0) {
    prose.say(
      "Each of them has signed a record of its own. Their journals are mirrored here, and were read just now.",
    );
  }
  for (const why of unread) prose.item("?", `A mirror could not be read: ${printable(why)}`);
}

/** Lists who else has recorded a case, a line each. */
export async function listAttestations({ world, terminal, json, state, evidenceId }: {
  world: World;
  terminal: Terminal;
  json: boolean;
  state: string;
  evidenceId: string;
}): Promise<ExitCode> {
  const { attestations, unread } = await attestationsOf({ files: world.files, state, evidenceId });
  for (const one of attestations) {
    const { vkey, seq, recordedAt } = one;
    const text = `${vkey.text}  entry ${seq}  ${recordedAt}`;
    terminal.out(json ? printableJson(attestationJson(one)) : printable(text));
  }
  for (const why of unread) terminal.err(`a mirror could not be read: ${printable(why)}`);
  return unread.length > 0 ? EXIT.failed : EXIT.ok;
}

/** One attestation as JSON. */
function attestationJson({ vkey, seq, recordedAt, record }: Attestation): string {
  const { evidence_id, detected_at, evidence_signature } = record;
  return JSON.stringify({
    ...{ evidence_id, monitor: vkey.name, vkey: vkey.text, entry: seq, recorded_at: recordedAt },
    ...{ detected_at, evidence_signature },
  });
}
