import { generateCosigningKey } from "../authority/cosigning.ts";
import { sealShort } from "../swarm/sealed_file.ts";
import { utf8 } from "../tlog/encoding.ts";
import { quoted } from "../tlog/malformed.ts";
import { SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";
import { createDurably, isThere } from "../world/durable.ts";
import { generateSigner } from "../world/signer.ts";
import { type World, WorldError } from "../world/world.ts";
import { PASSPHRASE_FILE, Passphrases } from "./passphrase.ts";
import type { Terminal } from "./terminal.ts";
import { type Command, EXIT, type Options, readOptions, UsageError } from "./command.ts";

/** Only the owner may read a private key. */
export const KEY_PERMISSIONS = 0o600;

/** `hearsay keygen`: makes the key of a monitor. */
export const keygen: Command = {
  name: "keygen",
  summary: "make the key of a monitor, or of a witness",
  help: `hearsay keygen NAME [--out FILE] [--seal [--passphrase-file FILE]]
hearsay keygen --witness NAME [--mldsa] [--out FILE] [--seal [--passphrase-file FILE]]

Makes an Ed25519 key for a monitor, in the format of Go's note package, and prints its vkey, which
is public. The private key is written to FILE, which only you can read (default NAME.key, with
dashes for slashes). A file that exists is never overwritten.

With --witness it makes the key of a witness, which cosigns checkpoints of logs and signs nothing else:
Ed25519 (0x04), or ML-DSA-44 (0x06) with --mldsa. Its default FILE is NAME.witness.key, or
NAME.witness-mldsa.key.

  --witness NAME          make the key of a witness of this name
  --mldsa                 make its second key, of type ML-DSA-44
  --out FILE              where to write the private key
  --seal                  seal it under a passphrase, as 'hearsay seal' does: it is never on the disk as
                          it is
  --passphrase-file FILE  the passphrase is the first line of FILE. Without it the terminal asks, twice

Example:
  hearsay keygen monitor.example.com/ber --out monitor.key
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: ["out", "witness", PASSPHRASE_FILE],
      flags: ["seal", "mldsa"],
      operands: isWitness(args) ? [] : ["NAME"],
    });
    const witness = options.value("witness");
    const name = witness ?? options.operands[0]!;
    const isMlDsa = options.flag("mldsa");
    if (isMlDsa && witness === undefined) throw new UsageError("--mldsa needs --witness NAME");
    const isSealed = options.flag("seal");
    if (!isSealed && options.value(PASSPHRASE_FILE) !== undefined) {
      throw new UsageError(`--${PASSPHRASE_FILE} needs --seal`);
    }
    const { vkey, privateKey } = witness === undefined
      ? await monitorKey(world, name)
      : await witnessKey(world, name, isMlDsa);
    const ending = witness === undefined ? "" : isMlDsa ? ".witness-mldsa" : ".witness";
    const path = options.value("out") ?? `${name.replaceAll(/[/\\]/g, "-")}${ending}.key`;
    try {
      if (await isThere(world.files, path)) throw new WorldError("already exists", "it exists");
      const text = utf8(privateKey + "\n");
      const content = isSealed ? await sealed({ world, terminal, options, path, text }) : text;
      const permissions = KEY_PERMISSIONS;
      (await createDurably({ files: world.files, path, content, permissions })).close();
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      if (error.kind === "already exists") {
        throw new UsageError(
          `${quoted(path)} exists, and a key is never overwritten; name another file with --out`,
        );
      }
      throw new WorldError(error.kind, `cannot write ${quoted(path)}: ${error.message}`);
    }
    terminal.out(vkey.text);
    terminal.err(`The private key is in ${path}${isSealed ? ", sealed" : ""}. Keep it secret.`);
    return EXIT.ok;
  },
};

/** Whether the key of a witness is asked for: then its name is no operand. */
function isWitness(args: readonly string[]): boolean {
  return args.some((arg) => /^--witness(?:=|$)/.test(arg));
}

async function monitorKey(world: World, name: string): Promise<NewKey> {
  const { signer, privateKey } = await generateSigner({ world, name });
  return { vkey: signer.vkey, privateKey };
}

/** Makes the key of a witness. */
export async function witnessKey(world: World, name: string, isMlDsa: boolean): Promise<NewKey> {
  const type = isMlDsa ? SIGNATURE_TYPE.mldsa44 : SIGNATURE_TYPE.cosignature;
  const { key, privateKey } = await generateCosigningKey({ world, name, type });
  return { vkey: key.vkey, privateKey };
}

/** A key that was made, and the text of its private key. */
interface NewKey {
  readonly vkey: Vkey;
  readonly privateKey: string;
}

/** A key as it is on the disk if it is sealed. Asks for the passphrase. */
async function sealed({ world, terminal, options, path, text }: {
  world: World;
  terminal: Terminal;
  options: Options;
  path: string;
  text: Uint8Array;
}): Promise<Uint8Array> {
  const passphrase = await new Passphrases({ world, terminal, options }).toSeal(path);
  return await sealShort({ plaintext: text, passphrase, world });
}
