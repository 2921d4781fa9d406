import { LEAST_SEALED_BYTES, looksSealed, openChunks } from "../swarm/sealed_file.ts";
import { printable, quoted } from "../tlog/malformed.ts";
import { readFully } from "../world/reading.ts";
import type { OpenFile } from "../world/world.ts";
import { type Command, EXIT, readOptions, SealedRefused, UsageError } from "./command.ts";
import { cannotRead, openRegular, refusedSealed } from "./inputs.ts";
import { Passphrases } from "./passphrase.ts";
import { chunksOf, expectFree, SEALED_ENDING, SEALING_OPTIONS, writeOut } from "./sealing.ts";

/** `hearsay open`: opens a file that was sealed under a passphrase. */
export const open: Command = {
  name: "open",
  summary: "open a file that 'hearsay seal' has sealed",
  help: `hearsay open FILE [--out FILE] [--passphrase-file FILE] [--overwrite]

Opens a file that 'hearsay seal', or ncrypt (github.com/minio/sio), has sealed under a passphrase. It is
written to a new file that only you can read. If FILE was changed in any bit, or cut off, it is refused,
and nothing is written.

  --out FILE              where to write (default FILE without ${SEALED_ENDING} at its end)
  --passphrase-file FILE  the passphrase is the first line of FILE. Without it the terminal asks
  --overwrite             write in the place of a file that is there

Example:
  hearsay open case.txt${SEALED_ENDING}
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, SEALING_OPTIONS);
    const [path] = options.operands as [string];
    const out = options.value("out") ?? withoutEnding(path);
    const file = await openRegular(world, path);
    try {
      await expectSealed(file, path);
      await expectFree({ world, out, options });
      const passphrase = await new Passphrases({ world, terminal, options }).toOpen(path);
      const onNoEnd = (): void => terminal.err(NO_END);
      const chunks = openChunks({ chunks: chunksOf(file, path), passphrase, world, onNoEnd });
      await writeOut({ world, out, options, chunks });
    } catch (error) {
      throw refusedSealed(path, error);
    } finally {
      file.close();
    }
    terminal.out(printable(`${path} is opened in ${out}`));
    return EXIT.ok;
  },
};

/** What is said of a file of DARE 1.0. */
const NO_END = "this file is of DARE 1.0, which does not show its end: a part may be missing there";

function withoutEnding(path: string): string {
  if (path.endsWith(SEALED_ENDING) && path.length > SEALED_ENDING.length) {
    return path.slice(0, -SEALED_ENDING.length);
  }
  throw new UsageError(
    `${quoted(path)} does not end with ${SEALED_ENDING}: say with --out where to write`,
  );
}

/** Refuses what is no sealed file before anybody is asked for its passphrase. */
async function expectSealed(file: OpenFile, path: string): Promise<void> {
  const head = new Uint8Array(LEAST_SEALED_BYTES);
  let filled: number;
  try {
    filled = await readFully(file, head, 0);
  } catch (error) {
    throw cannotRead(path, error);
  }
  if (looksSealed(head.subarray(0, filled))) return;
  throw new SealedRefused(
    path,
    "it is not a sealed file, or its beginning was cut off or changed: expected a salt of 32 bytes, " +
      "then a package of DARE",
  );
}
