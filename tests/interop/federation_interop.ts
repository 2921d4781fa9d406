/**
 * Tessera's fsck reads a published journal: every bundle, every tile and the root, from the folder and
 * from the address where it is published.
 */
import { assert, assertEquals } from "@std/assert";
import { Gate } from "../../src/federation/gate.ts";
import { JournalLog } from "../../src/federation/journal_log.ts";
import { headMemory } from "../../src/monitor/journal_head.ts";
import { answerFederation } from "../../src/web/federation_server.ts";
import { concatAll, linesOf, signer } from "../federation/journals.ts";
import { world } from "../world/helpers.ts";
import { build, interopTest, type Ran, shell } from "./go.ts";

const FSCK = await build("github.com/transparency-dev/tessera/cmd/fsck@v1.0.4");

/** Below, at and above a full tile; a tile of level 2. */
const SIZES = [1, 2, 255, 256, 257, 600, 65_536, 65_537];
/** This entry fits no bundle. */
const LONG_ENTRY = 100;

/** A journal on the disk that grows, and the log that is made of it. */
class Published {
  readonly #path: string;
  #bytes: Uint8Array = new Uint8Array(0);
  log!: JournalLog;

  constructor(readonly folder: string) {
    this.#path = `${folder}/journal.jsonl`;
    Deno.writeTextFileSync(`${folder}/vkey`, signer.vkey.text);
  }

  get files(): string {
    return `${this.folder}/incidents-log`;
  }

  async grow(size: number): Promise<void> {
    const padding = (index: number): number => index === LONG_ENTRY ? 100_000 : 50;
    this.#bytes = concatAll(linesOf(size, { padding }).bytes);
    Deno.writeFileSync(this.#path, this.#bytes);
    if (this.log !== undefined) return await this.log.advance();
    const { files, clock } = world;
    this.log = await JournalLog.open({
      ...{ files, clock, signer, memory: headMemory({ files, folder: this.folder }) },
      journal: { path: this.#path, durableEnd: () => this.#bytes.length },
      ...{ folder: this.files, onNewEpoch: ({ detail }) => assert(false, detail) },
    });
  }
}

function check(fsck: string, { folder, log }: Published, url: string): Promise<Ran> {
  // On a bundle that is wrong it waits for ever; and where it says that it failed it ends with 0.
  const line = 'timeout 10 "$1" --ui=false --storage_url="$2" --public_key="$3" --origin="$4"';
  return shell(line, fsck, url, `${folder}/vkey`, log.origin);
}

function isSound({ code, err }: Ran, size = 600): boolean {
  return code === 0 && err.includes(`Successfully fsck'd log with size ${size} `);
}

interopTest(
  FSCK,
  "fsck: a journal that grows is a sound log, as files and over HTTP",
  async (fsck, folder) => {
    const published = new Published(folder);
    for (const size of SIZES) {
      await published.grow(size);
      const limits = { perSecondPerAddress: 100_000, perSecond: 100_000 };
      const page = {
        ...{ log: published.log, gate: new Gate({ clock: world.clock, limits }) },
        ...{ mirrors: () => undefined, failed: (error: unknown) => assert(false, `${error}`) },
      };
      const here = { hostname: "127.0.0.1", port: 0 };
      const server = world.http.serve(here, (query) => answerFederation(query, page), () => {});
      for (
        const url of [`file://${published.files}/`, `http://127.0.0.1:${server.address.port}/`]
      ) {
        const ran = await check(fsck, published, url);
        assert(isSound(ran, size), `${url} ${size}: ${ran.err}`);
      }
      await server.close();
    }
    await published.log.close();
  },
);

interopTest(FSCK, "fsck: it finds a flipped bit in each kind of file", async (fsck, folder) => {
  const published = new Published(folder);
  await published.grow(600);
  for (const name of ["tile/entries/001", "tile/0/002.p/88", "tile/1/000.p/2", "checkpoint"]) {
    const path = `${published.files}/${name}`;
    const whole = Deno.readFileSync(path);
    Deno.writeFileSync(path, whole.map((byte, i) => i === whole.length - 7 ? byte ^ 1 : byte));
    assertEquals(isSound(await check(fsck, published, `file://${published.files}/`)), false, name);
    Deno.writeFileSync(path, whole);
  }
  assert(isSound(await check(fsck, published, `file://${published.files}/`)));
  await published.log.close();
});
