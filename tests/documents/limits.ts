/** Every limit that PROTOCOL.md gives, by its name in the program. */
import { MAX_CONFLICTS_PER_LOG } from "../../src/evidence/detector.ts";
import { MAX_JSON_PARTS } from "../../src/evidence/json.ts";
import { MAX_ROOTS_PER_SIZE } from "../../src/evidence/memory.ts";
import { MAX_SOURCE_CHARACTERS } from "../../src/evidence/record.ts";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import { MAX_ENTRY_BYTES } from "../../src/evidence/entry.ts";
import { KEEP_SEGMENTS } from "../../src/store/observations.ts";
import { MAX_NAMED_SOURCES } from "../../src/store/repeats.ts";
import { SEGMENT_BYTES } from "../../src/store/segments.ts";
import { MAX_SETTLED_UNWRITTEN } from "../../src/store/settled.ts";
import { MAX_PUSHES_AT_ONCE, MAX_PUSHES_OF_ADDRESS } from "../../src/federation/gate.ts";
import {
  MAX_BUNDLED_BYTES,
  MAX_HEAD_BYTES,
  MAX_PUSH_BYTES,
  MAX_RECORDS,
  MAX_RECORDS_BYTES,
} from "../../src/federation/wire.ts";
import { SESSION_LIMITS } from "../../src/swarm/session_limits.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { MAX_NOTE_BYTES, MAX_SIGNATURE_LINES } from "../../src/tlog/note.ts";
import { MAX_PROOF_HASHES } from "../../src/tlog/proof.ts";
import { MAX_RSA_BITS, MIN_RSA_BITS } from "../../src/tlog/rfc6962.ts";
import { MAX_POSTED_BYTES } from "../../src/web/gossip_server.ts";
import {
  ACCUSATION_MS,
  BAN_THRESHOLD,
  DEFAULT_BAN_MS,
  MIN_ACCUSERS,
} from "../../src/swarm/conduct.ts";
import { RESERVED_SEQUENCES } from "../../src/swarm/own_statements.ts";
import {
  DEFAULT_MAX_CLOCK_SKEW_MS,
  MAX_EPOCHS,
  REMEMBER_AHEAD_MS,
  REPLAY_WINDOW,
} from "../../src/swarm/replay.ts";
import { MAX_SEEN } from "../../src/swarm/seen.ts";
import {
  MAX_CHECKPOINT_STATEMENT_BYTES,
  MAX_LINK_MS,
  MAX_STATEMENT_BYTES,
} from "../../src/swarm/statement.ts";
import { MAX_NUMBERS_PER_LIST } from "../../src/swarm/statement_memory.ts";
import { MAX_HEADS } from "../../src/authority/cosigned_heads.ts";
import { FAILED_COSIGNATURE_COST, MAX_FAILED_COSIGNATURES } from "../../src/gossip/kind.ts";
import { MAX_LINES_PER_COSIGNER } from "../../src/tlog/checkpoint.ts";
import { VERDICT_MS } from "../../src/monitor/verdicts.ts";

const { kinds, ...ofExchange } = DEFAULT_LIMITS;

/** A named limit whose constant the program exports. */
export const LIMITS: Readonly<Record<string, number>> = {
  ...ofExchange,
  ...SESSION_LIMITS,
  ...Object.fromEntries(
    Object.entries(kinds).flatMap(([name, { maxBytes, cost }]) => [
      [`max${name[0]!.toUpperCase()}${name.slice(1)}ItemBytes`, maxBytes],
      [`${name}Cost`, cost],
    ]),
  ),
  ...{ FRAME_BYTES, MAX_NOTE_BYTES, MAX_SIGNATURE_LINES, MAX_PROOF_HASHES, MAX_JSON_PARTS },
  ...{ MAX_SOURCE_CHARACTERS, MAX_ENTRY_BYTES, SEGMENT_BYTES, KEEP_SEGMENTS },
  ...{ MAX_CONFLICTS_PER_LOG, MAX_ROOTS_PER_SIZE, MAX_NAMED_SOURCES, MAX_SETTLED_UNWRITTEN },
  ...{ MAX_STATEMENT_BYTES, MAX_CHECKPOINT_STATEMENT_BYTES, MAX_LINK_MS, MAX_EPOCHS },
  ...{ REPLAY_WINDOW: Number(REPLAY_WINDOW), DEFAULT_MAX_CLOCK_SKEW_MS, REMEMBER_AHEAD_MS },
  ...{ RESERVED_SEQUENCES: Number(RESERVED_SEQUENCES), MAX_SEEN, MAX_NUMBERS_PER_LIST },
  ...{ BAN_THRESHOLD, DEFAULT_BAN_MS, ACCUSATION_MS, MIN_ACCUSERS },
  ...{ MAX_LINES_PER_COSIGNER, MAX_HEADS, MAX_FAILED_COSIGNATURES, FAILED_COSIGNATURE_COST },
  ...{ MIN_RSA_BITS, MAX_RSA_BITS, MAX_POSTED_BYTES, VERDICT_MS },
  ...{ MAX_BUNDLED_BYTES, MAX_RECORDS, MAX_RECORDS_BYTES, MAX_HEAD_BYTES, MAX_PUSH_BYTES },
  ...{ MAX_PUSHES_AT_ONCE, MAX_PUSHES_OF_ADDRESS },
};
