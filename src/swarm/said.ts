import type { JsonObject } from "../evidence/json.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { isObject, listOf } from "../tlog/members.ts";
import type { Files } from "../world/world.ts";
import { readSmallFile, type SmallFile, writeSmallFile } from "./small_file.ts";
import { type Members, readStatement, type Statement } from "./statement.ts";

/** The file in the state folder. */
export const SAID_FILE = "said-statements.json";
const VERSION = "hearsay/said-statements/v1";
/** Of how many logs the last statement of one member is kept. */
const MAX_LOGS_PER_MEMBER = 1_024;
/** Most characters of all that is kept. Almost every statement has a thousand. */
const MAX_LENGTH = 1024 * 1024;

/**
 * What members said, signed: the last statement of each about each log that is followed here. A member
 * can be held to it: it names the checkpoint, the time, and the entry of the member's own journal.
 */
export class Said {
  readonly #file: SmallFile;
  /** By member, then by log hash; what came last is last. */
  readonly #statements = new Map<string, Map<string, Statement>>();
  #length = 0;
  #isChanged = false;

  private constructor(file: SmallFile) {
    this.#file = file;
  }

  /**
   * Takes up what was kept. What is not signed by a member any more is left out.
   * @param folder the state folder
   * @param onDamage told, in a sentence, that the file is damaged; then nothing is taken up
   * @throws WorldError
   */
  static async open({ files, folder, members, onDamage }: {
    files: Files;
    folder: string;
    members: Members;
    onDamage: (detail: string) => void;
  }): Promise<Said> {
    const said = new Said({ files, folder, name: SAID_FILE, version: VERSION });
    try {
      const stored = await readSmallFile(said.#file);
      if (stored !== undefined) said.#read(stored, members);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      onDamage(
        `${SAID_FILE} is damaged, and what members said before is not known: ${error.message}`,
      );
    }
    return said;
  }

  /** How many statements it keeps. */
  get count(): number {
    return [...this.#statements.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** The last statement of a member about a log. */
  of(member: string, logHash: string): Statement | undefined {
    return this.#statements.get(member)?.get(logHash);
  }

  /** Keeps a statement in place of the member's last one about this log. */
  keep(statement: Statement, logHash: string): void {
    const { text } = statement.member;
    const ofMember = this.#statements.get(text) ?? new Map<string, Statement>();
    this.#statements.delete(text);
    this.#statements.set(text, ofMember);
    this.#drop(ofMember, logHash);
    ofMember.set(logHash, statement);
    this.#length += lengthOf(statement);
    if (ofMember.size > MAX_LOGS_PER_MEMBER) this.#drop(ofMember, ofMember.keys().next().value!);
    // Whoever says the longest things does not push out what the others said.
    while (this.#length > MAX_LENGTH) this.#drop(this.#longest(), undefined);
    this.#isChanged = true;
  }

  /** Writes what is kept, if it changed. @throws WorldError */
  async save(): Promise<void> {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const said = [...this.#statements.values()].flatMap((ofMember) =>
      [...ofMember].map(([log, statement]) => ({ log, statement: statement.json }))
    );
    try {
      await writeSmallFile(this.#file, { said });
    } catch (error) {
      this.#isChanged = true;
      throw error;
    }
  }

  /** Forgets what those said who are no members any more. */
  retain(vkeys: readonly string[]): void {
    const kept = new Set(vkeys);
    for (const [member, ofMember] of this.#statements) {
      if (kept.has(member)) continue;
      for (const log of [...ofMember.keys()]) this.#drop(ofMember, log);
      this.#statements.delete(member);
      this.#isChanged = true;
    }
  }

  #longest(): Map<string, Statement> {
    const length = (ofMember: Map<string, Statement>): number =>
      [...ofMember.values()].reduce((sum, one) => sum + lengthOf(one), 0);
    return [...this.#statements.values()].reduce((a, b) => length(b) > length(a) ? b : a);
  }

  /** @param log the oldest if it is left out */
  #drop(ofMember: Map<string, Statement>, log = ofMember.keys().next().value): void {
    const statement = log === undefined ? undefined : ofMember.get(log);
    if (statement === undefined) return;
    ofMember.delete(log!);
    this.#length -= lengthOf(statement);
  }

  #read(stored: JsonObject, members: Members): void {
    listOf((item, name) => {
      if (!isObject(item) || typeof item.log !== "string" || !isObject(item.statement)) {
        throw new MalformedError(`${name} is no statement about a log`);
      }
      const statement = readStatement(item.statement, members);
      if (!("refused" in statement)) this.keep(statement, item.log);
    })(stored.said, "said");
    this.#isChanged = false;
  }
}

/** Characters of a statement, with members that a later version may add: any member may add some. */
function lengthOf({ text }: Statement): number {
  return text.length;
}
