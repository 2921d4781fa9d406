/**
 * What to do now, at the top of an incident's page: keep it, verify it, tell people, lift the freeze.
 *
 * @module
 */
import { type Incident, isFreezing } from "../response/runbook.ts";
import { type State, STATES } from "../evidence/transition.ts";
import { type Html, html, type Value } from "./html.ts";
import { type JudgedCase, nameOfSubject, type Subject } from "./page_case.ts";
import { keyOption, SIGNED_BY } from "../response/freeze_words.ts";
import { atHome, type Commands } from "./page_commands.ts";
import { command, section } from "./page_parts.ts";
import { capital, nameIn } from "./page_words.ts";

/** Where the commands about this monitor's journal are typed. */
const HERE = "on the machine on which this monitor runs, as root or as the user that runs it";

/** Whom to send the evidence to, for each subject of a case. */
const WHOM: Readonly<Record<Subject, readonly [operator: string, others: string]>> = {
  log: [
    "The operator of the log: its own pages say how to reach them. Send the file as an attachment. Ask how " +
    "the log's key came to sign both checkpoints.",
    "Whoever relies on the log, in your organisation and elsewhere, and others who monitor it. They can verify the " +
    "file themselves, and may have been shown yet another history.",
  ],
  monitor: [
    "The operator of the monitor that signed both. Send the file as an attachment. Ask whether its folder, its " +
    "key or its machine was copied or restored from a backup.",
    "Others who have that monitor as a peer. They can verify the file themselves.",
  ],
  witness: [
    "The operator of the witness. Send the file as an attachment. Ask how its key came to cosign both " +
    "checkpoints. Ask the operator of the log whether the log has signed both.",
    "Those whose policies list the witness. They can verify the file themselves, and decide whether its " +
    "cosignatures still count for them. In your own policies, count it no more.",
  ],
};

/** What nobody is to do, for each subject of a case. */
function dontList(subject: Subject): Html {
  return html`
    <p><b>Do not:</b></p>
    <ul>
      ${subject === "log" &&
        html`<li>resolve the incident to silence the alarm: that lifts the freeze;</li>`}
      <li>delete or restore this monitor's data;</li>
      <li>write that anybody cheated: that is not proven;</li>
      <li>blame whoever showed one of the checkpoints: showing it is how this was found.</li>
    </ul>
  `;
}

/** What can wait, for each subject of a case. */
const URGENCY: Readonly<Record<Subject, string>> = {
  log:
    "But software that uses the log without asking this monitor goes on trusting it. If such software " +
    "installs or accepts things by this log, tell its owner now, at night too. The rest can wait until morning.",
  monitor: "The rest can wait until morning.",
  witness:
    "But whoever counts the cosignatures of this witness goes on counting them. If something is installed " +
    "or accepted by them, tell its owner now, at night too. The rest can wait until morning.",
};

/** Where the public key of each subject can be had from. */
const KEY_FROM: Readonly<Record<Subject, string>> = {
  log:
    "from the log's own website, from its operator, or from the software that uses the log and has the key " +
    "built in",
  monitor: 'from its operator, or from the "peers" of your configuration',
  witness: "from its operator, or from your policy",
};

/**
 * The section for a case whose record holds.
 * @param file the name that files about it begin with
 * @param isOnly whether its incident, if it has one, has no other
 */
export function todoOfCase(
  one: JudgedCase,
  { file, isOnly, commands, incident }: {
    file: string;
    isOnly: boolean;
    commands: Commands;
    incident?: Incident;
  },
): Html {
  const { subject } = one;
  const [operator, others] = WHOM[subject];
  const name = incident !== undefined && isOnly ? incident.id : `${one.seq}`;
  return section(
    "todo",
    "What to do now",
    html`
      <p>The evidence is on this monitor's disk, and nobody can take a signature back: waiting loses nothing of it.
      ${URGENCY[
        subject
      ]} Take the steps in their order. Keep the monitor running meanwhile: it goes on watching.</p>
      ${dontList(subject)}
      <ol class="steps">
        <li><b>Keep the evidence.</b> ${capital(HERE)}, write it to a file in your home folder:
      ${command(
        "command-export",
        commands.incidents("export", name) + ` --out ${atHome(`${file}.txt`)}`,
      )}
      <p>It prints where the file is${name !== incident?.id &&
        ` (${name} is the number of the case in this monitor's journal)`}. Then copy the file to the home folder of another
      machine.</p></li>
        <li><b>Verify it</b> on that other machine. That needs no network. It needs the program hearsay, which is one file:
      copy that over too, if it is not there. <code>command -v hearsay</code> prints where it is.
      ${verifying(one, { file })}</li>
        <li><b>Tell people.</b> Say no more than <a href="#proven">what is proven</a>. The monitor tells its
      peers by itself. Write to:
      <ul><li>Whoever answers for this monitor, if that is not you.</li><li>${operator}</li><li>${others}</li></ul>
      ${incident !== undefined && sending(incident, commands)}</li>
        <li>${lifting(one, { file, commands, incident })}</li>
      </ol>
    `,
  );
}

/** How the bundle is sent, which can be checked without this program. */
function sending({ id }: Incident, commands: Commands): Html {
  return html`
    <p>Who has no program hearsay can check the folder of the incident, by the report in it. This makes the folder, and
    packs it into one file to send:</p>
    ${command("command-bundle", commands.incidents("bundle", id) + ` --out ${atHome(id)}`)}
    ${command("command-pack", `tar -czf ${atHome(`${id}.tar.gz`)} -C ~ ${id}`)}
  `;
}

function verifying(one: JudgedCase, { file }: { file: string }): Html {
  const { record: { log: { vkey } }, subject } = one;
  const key = keyOption(one.record);
  return html`
    <p>First get the public key (vkey) of ${subject} ${nameIn(
      nameOfSubject(one),
    )} ${KEY_FROM[
      subject
    ]}. Do not take it from this page or from the file. It must be this one:</p>
    <pre>${vkey}</pre>
    <p>If it is another one, stop: then the evidence is about a key that you do not rely on. Tell whoever answers for this
    monitor. If it is the same, type:</p>
    ${command("command-verify", `hearsay verify ${atHome(`${file}.txt`)}${key}`)}
    ${key === "" &&
      html`<p>The command names no key here, since this one cannot be pasted safely.</p>`}
    <p>The last line that it prints must be “<samp>The evidence holds (1 record).</samp>” Its exit code, which <code>echo
    $?</code> prints right after it, must be 0.</p>
    <ul>
      <li>Exit code 1: the file does not hold for this key. It may be damaged. Keep it, send it to nobody outside, and copy
      it again. If it fails again, give the file and what was printed to whoever answers for this monitor.</li>
      <li>Exit code 2: the command or the file is not the right one. Exit code 3: the file cannot be read. Nothing was
      verified.</li>
    </ul>
    <p>If the key cannot be had now, tell whoever answers for this monitor now, and say “not yet verified elsewhere”. Write
    to the operator and others only after this step.</p>
    <p>Without the file: <a href="/incidents/${`${one.seq}`}.json">download the record</a> into your home folder, and
    type:</p>
    ${command("command-record", `hearsay verify ${atHome(`${file}.json`)}${key}`)}
  `;
}

/** The last step of a case. */
function lifting(
  one: JudgedCase,
  { file, commands, incident }: {
    file: string;
    commands: Commands;
    incident?: Incident | undefined;
  },
): Value {
  if (incident !== undefined) return liftingOf(incident, commands);
  if (one.subject !== "log") {
    return html`<b>Nothing is frozen by this.</b> It is about the ${one.subject}, and says nothing against a log.`;
  }
  return html`<b>Freeze the log, if you want that.</b> No incident has this case, as is so
for cases from before this monitor froze logs. To accept nothing new of the log, download the record as in step 2 ${HERE}. Then open an incident
by hand, with your name and your reason between the quotation marks:
${
    command(
      "command-run",
      commands.incidents("run", atHome(`${file}.json`)) + SIGNED_BY,
    )
  }`;
}

/** The steps that are left, each with its command. */
const LEFT: readonly { readonly to: State; readonly says: string }[] = [
  {
    to: "FREEZE",
    says:
      "Freeze the log. The monitor does that by itself; if this state stays, look into its events:",
  },
  {
    to: "INVESTIGATE",
    says:
      "Say that you investigate. This also gathers all that is known into a folder in your home folder:",
  },
  {
    to: "RESOLVE",
    says:
      "To go on with the log, resolve the incident. This lifts the freeze, unless another incident freezes " +
      "the log too:",
  },
  { to: "CLOSED", says: "When nothing is left to do, close it:" },
];

/** Who lifts the freeze, and how. */
export function liftingOf(incident: Incident, commands: Commands): Html {
  const { id, state } = incident;
  const left = LEFT.filter(({ to }) => isAfter(to, state));
  if (left.length === 0) return html`<b>Nothing is left to do.</b> ${id} is closed.`;
  const items = left.map(({ to, says }, i) =>
    html`<li>${
      i === 0 && html`
        <b>Next:</b>
      `
    }${says} <small>(${id} is then in the state ${to})</small>
${command(`command-${to.toLowerCase()}`, stepTo(to, id, commands))}</li>`
  );
  const head = isFreezing(state)
    ? html`<b>Lift the freeze</b>, later, when you know what happened. Only a person can do that: whoever answers for this monitor. If that is
not you, leave this step to them.`
    : html`<b>Close the incident.</b> The freeze is lifted already.`;
  return html`${head} ${
    capital(HERE)
  }, type each of these commands once, in this order. Put your name and your reason between
the quotation marks: both stand in the journal for good. As they stand, with <code>--by ""</code>, they are refused. No step
can be skipped or taken back.${
    !commands.listens &&
    ' This monitor has no "listen" in its configuration: stop it before, and start it again after.'
  }
<ol type="a">${items}</ol>`;
}

function isAfter(to: State, state: State): boolean {
  return STATES.indexOf(to) > STATES.indexOf(state);
}

function stepTo(to: State, id: string, commands: Commands): string {
  const own = commands.incidents(to === "RESOLVE" ? "resolve" : "advance", id) + SIGNED_BY;
  return to === "INVESTIGATE" ? `${own} --out ${atHome(id)}` : own;
}

/** The section for an incident without a proven case. */
export function todoOfSuspicion(incident: Incident, commands: Commands): Html {
  const { id, cause } = incident;
  const look = cause === "signature failure"
    ? html`Look at the log's own pages: was a change of its key announced? If so, OPERATING, "A log's key was rotated",
says what to do. If not, somebody else may answer in its place: look from another network.`
    : html`Look from another network whether the log gives a proof that holds there. A broken cache or server does this
too.`;
  return section(
    "todo",
    "What to do now",
    html`
      <p>You need not hurry: what was seen is in this monitor's journals. <b>Nothing is proven against the log.</b> Take
      the steps in their order, and keep the monitor running meanwhile.</p>
      <ol class="steps">
        <li><b>Keep what is known.</b> ${capital(
          HERE,
        )}, write the report to a file in your home folder:
      ${command(
        "command-report",
        commands.incidents("report", id) + ` --out ${atHome(`${id}.html`)}`,
      )}</li>
        <li><b>Look for the reason.</b> ${look}</li>
        <li><b>Ask the operator of the log</b>, and other monitors, whether they see the same. Accuse nobody.</li>
        <li>${liftingOf(incident, commands)}</li>
      </ol>
    `,
  );
}
