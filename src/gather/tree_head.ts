import { concat } from "@std/bytes/concat";
import { formatCheckpointText } from "../tlog/checkpoint.ts";
import { strictBase64 } from "../tlog/encoding.ts";
import { HASH_BYTES } from "../tlog/hashing.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { checkMembers, type Shape, text, wholeNumber, within } from "../tlog/members.ts";
import { formatNote } from "../tlog/note.ts";
import { SIGNATURE_TYPE } from "../tlog/vkey.ts";
import { openNote } from "./found.ts";
import type { JsonKind } from "./kinds.ts";

/** RFC 6962 section 4.3. */
const TREE_HEAD: Shape = {
  must: {
    tree_size: wholeNumber({ least: 0 }),
    timestamp: wholeNumber({ least: 0 }),
    sha256_root_hash: text,
    tree_head_signature: text,
  },
  others: "kept",
};

/**
 * An answer to `get-sth` of RFC 6962. It does not name its log, so it is the log's under whose key
 * it verifies (RULES S4).
 */
export const signedTreeHead: JsonKind = {
  name: "RFC 6962 tree heads",
  recognizes: (object) =>
    Object.hasOwn(object, "sha256_root_hash") && Object.hasOwn(object, "tree_head_signature"),
  read(object, { logs, where }) {
    checkMembers(object, { what: "tree head", shape: TREE_HEAD });
    const treeSize = BigInt(object.tree_size as number);
    const rootHash = within(
      "sha256_root_hash",
      () => strictBase64(object.sha256_root_hash as string),
    );
    if (rootHash.length !== HASH_BYTES) {
      throw new MalformedError(
        `sha256_root_hash has ${rootHash.length} bytes, expected ${HASH_BYTES}`,
      );
    }
    const timestamp = new Uint8Array(8);
    new DataView(timestamp.buffer).setBigUint64(0, BigInt(object.timestamp as number));
    const signed = within(
      "tree_head_signature",
      () => strictBase64(object.tree_head_signature as string),
    );
    const signature = concat([timestamp, signed]);
    for (const log of logs.filter(({ vkey }) => vkey.type === SIGNATURE_TYPE.rfc6962)) {
      const text = formatCheckpointText({ origin: log.origin, treeSize, rootHash });
      const note = formatNote({ text, vkey: log.vkey, signature });
      const found = openNote({ note, source: where, logs });
      if (found.kind === "checkpoint") return [found];
    }
    const detail = `tree head of size ${treeSize}: it verifies under no known key of type 0x05`;
    return [{ kind: "rejected", reason: "unknown log", detail }];
  },
};
