/**
 * Real notes, through a whole daemon: what their witnesses have cosigned is read, verified, counted and
 * written down. Where a real note comes without the key of a witness, one made here cosigns it too.
 */
import { p256 } from "@noble/curves/nist.js";
import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { type Policy, type PolicyMember, witnessesIn } from "../../src/authority/policy.ts";
import { SigsumSource } from "../../src/sources/sigsum.ts";
import { HttpFetcher } from "../../src/sources/fetcher.ts";
import { type Source, SourceUnavailable } from "../../src/sources/source.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { readSignatureLine } from "../../src/tlog/signature_line.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { policyOf, witness } from "../authority/policies.ts";
import { hex, readJson, readText, unbase64, unhex, vectorTest } from "../conformance/vectors.ts";
import { tesseraLog, tesseraNotes } from "../conformance/real_logs.ts";
import { fakeWorld } from "../sources/fake_http.ts";
import { type Followed, Host, MINUTE } from "./hosts.ts";

const MARKOVIAN = "markovianprotocol.com/log+0302c6c8+ATkpOWo95UuEiW2EhNZAol4f0CS8hMluJfPcTSzrr03v";

/** Shows one note, and has no proofs. */
function showing(note: string, log: Log): Followed["source"] {
  const unavailable = () => Promise.reject(new SourceUnavailable("one note is all there is"));
  return { story: { log }, latest: () => Promise.resolve(utf8(note)), consistency: unavailable };
}

/** What a daemon counts of the one checkpoint that a source shows, before and after a restart. */
async function counted(source: Followed["source"], policy: Policy): Promise<string[]> {
  await using host = await Host.make();
  const status = (): string => {
    const { size, lastResult, cosigned } = host.daemon!.status().logs[0]!;
    const who = cosigned!.witnesses.filter(({ size }) => size !== undefined).map(({ name }) =>
      name
    );
    return `${lastResult} ${size}, committed ${cosigned!.committed?.size ?? "none"} by ${
      who.join(" ")
    }`;
  };
  await host.start({ logs: [{ source }], policy });
  await host.pass(MINUTE);
  const before = status();
  await host.stop();
  await host.start({ logs: [{ source }], policy });
  return [before, status()];
}

function names(member: PolicyMember | undefined): string {
  return witnessesIn(member).map(({ name }) => name).join(" ");
}

vectorTest(
  "daemon: a real checkpoint with cosignatures of types 0x04 and 0x06 is committed",
  async () => {
    const [garden, ring, ring6] = readText("cosignatures/witness-vkeys.txt").trimEnd().split("\n");
    const policy = policyOf(
      ...[`log ${MARKOVIAN}`, `witness garden ${garden}`, `witness ring ${ring}`],
      ...[`witness ring6 ${ring6}`, "group all-three all garden ring ring6", "quorum all-three"],
    );
    assertEquals(names(policy.quorum), "garden ring ring6");
    const note = readText("cosignatures/markovian-1387.note");
    const same = "unchanged 1387, committed 1387 by garden ring ring6";
    assertEquals(await counted(showing(note, parseLog(MARKOVIAN)), policy), [same, same]);
  },
);

vectorTest(
  "daemon: a real policy of three witnesses finds all of them on a real checkpoint of another log",
  async () => {
    const witnessLines = readText("policy/age_keyserver_witness_policy.txt").split("\n")
      .filter((line) => line.startsWith("witness "))
      // Their URLs are not for tests.
      .map((line) => line.split(/\s+/).slice(0, 3).join(" "));
    const rest = ["group any-two 2 TrustFabric Mullvad Geomys", "quorum any-two"];
    const note = readText("cosignatures/markovian-1387.note");
    const policy = policyOf(`log ${MARKOVIAN}`, ...witnessLines, ...rest);
    const [line] = await counted(showing(note, parseLog(MARKOVIAN)), policy);
    assertEquals(line, "unchanged 1387, committed 1387 by TrustFabric Mullvad Geomys");
  },
);

interface SigsumFile {
  readonly proof_cosigned: string;
  readonly cosigned_log_key_ssh: string;
  readonly cosigned_witness_key_ssh: string;
}

/** An Ed25519 key in SSH's wire form, of which the key is the last 32 bytes. */
function sshKey(text: string): string {
  return hex(unbase64(text).slice(-32));
}

vectorTest(
  "daemon: a real tree head of Sigsum is committed by its witness, as the log serves it",
  async () => {
    const file = readJson<SigsumFile>("logs/sigsum_go_proofs.json");
    const policy = policyOf(
      `log ${sshKey(file.cosigned_log_key_ssh)}`,
      `witness w ${sshKey(file.cosigned_witness_key_ssh)}`,
      `witness other ${"4644af2abd40f4895a003bca350f9d5912ab301a49c77f13e5b6d905c20a5fe6"}`,
      "quorum w",
    );
    const [{ log }] = policy.logs as [Policy["logs"][number]];
    // The second block of a proof is what get-tree-head answers.
    const [, head] = file.proof_cosigned.split("\n\n");
    const stray = "cosignature=00 1 00\ncosignature=none\n";
    const { world } = fakeWorld((path) =>
      path.endsWith("/get-tree-head") ? { body: `${head}\n${stray}` } : undefined
    );
    const openFor = (log: Log): Source =>
      new SigsumSource({
        fetcher: new HttpFetcher({ world, prefix: "https://sigsum.example/log", contact: "x" }),
        log,
      });
    const same = "unchanged 4, committed 4 by w";
    const [before, after] = await counted({ ...showing("", log), openFor }, policy);
    assertEquals([before, after], [same, same]);
  },
);

/** Cosigns the text of a real note with a key made here, and counts that under a policy. */
async function cosignedHere(note: string, log: Log): Promise<string[]> {
  const made = [witness("ours"), witness("ours6", { mldsa: true })];
  const { text } = parseNote(note);
  const lines = made.map((one) => `${one.line(text, 1_770_000_000n)}\n`).join("");
  const policy = policyOf(
    ...made.map(({ defined }) => defined),
    ...["group both all ours ours6", "quorum both"],
  );
  return await counted(showing(note + lines, log), policy);
}

interface RekorBundle {
  readonly verificationMaterial: {
    readonly tlogEntries: readonly {
      readonly inclusionProof: { readonly checkpoint: { readonly envelope: string } };
    }[];
  };
}

vectorTest(
  "daemon: a cosigned checkpoint of Rekor v2 is read, and whoever is known there is counted",
  async () => {
    const bundle = readJson<RekorBundle>(
      "artefacts/sigstore/rekor2-checkpoint-cosigned.sigstore.json",
    );
    const [entry] = bundle.verificationMaterial.tlogEntries;
    const { envelope } = entry!.inclusionProof.checkpoint;
    const file = readJson<{ keys: readonly { spki_b64: string; base_url: string }[] }>(
      "logs/rekor_v1_conformance.json",
    );
    const name = envelope.split("\n")[0]!;
    const key = file.keys.find(({ base_url }) => base_url === `https://${name}`)!;
    const publicKey = unbase64(key.spki_b64).slice(-32);
    const vkey = makeVkey({ name, type: SIGNATURE_TYPE.ed25519, publicKey });
    const same = "unchanged 736, committed 736 by ours ours6";
    assertEquals(await cosignedHere(envelope, parseLog(vkey.text)), [same, same]);
  },
);

vectorTest("daemon: a checkpoint of a Tessera log is counted", async () => {
  const { note } = tesseraNotes().at(-1)!;
  const [, size] = note.split("\n");
  const same = `unchanged ${size}, committed ${size} by ours ours6`;
  assertEquals(await cosignedHere(note, tesseraLog()), [same, same]);
});

/**
 * The log of a Sunlight note. Its key is not among the vectors, but an ECDSA signature leaves only two
 * candidates, and the key id in the line is a hash of the right one.
 */
function sunlightLog(note: string): Log {
  const { text, lines } = parseNote(note);
  const [origin, size, root] = text.split("\n") as [string, string, string];
  const parsed = lines.map((line) => readSignatureLine(line)!);
  // uint64 timestamp | 4 (SHA-256) | 3 (ECDSA) | uint16 length | signature
  const { keyId, signature } = parsed.find(({ signature }) =>
    signature[8] === 4 && signature[9] === 3 && signature.length > 70
  )!;
  const signed = new Uint8Array(50);
  signed[1] = 1;
  signed.set(signature.subarray(0, 8), 2);
  new DataView(signed.buffer).setBigUint64(10, BigInt(size));
  signed.set(unbase64(root), 18);
  const hash = sha256(signed);
  const spki = [0, 1].map((bit) => {
    const recovered = p256.Signature.fromBytes(signature.subarray(12), "der").addRecoveryBit(bit)
      .recoverPublicKey(hash).toBytes(false);
    return concat([unhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"), recovered]);
  });
  const vkeys = spki.map((publicKey) =>
    makeVkey({ name: origin, type: SIGNATURE_TYPE.rfc6962, publicKey })
  );
  return parseLog(vkeys.find((vkey) => vkey.keyId === keyId)!.text);
}

vectorTest(
  "daemon: a checkpoint of a Sunlight log, with grease and three of its own lines, is counted",
  async () => {
    const note = readText("cosignatures/tuscolo2026h2-207536013.note");
    const log = sunlightLog(note);
    const same = "unchanged 207536013, committed 207536013 by ours ours6";
    assertEquals(await cosignedHere(note, log), [same, same]);
  },
);
