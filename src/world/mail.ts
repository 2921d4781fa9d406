import { createTransport } from "nodemailer";
import { type Letter, type Mail, WorldError } from "./world.ts";

/**
 * Hands a letter to its server, with nodemailer: see `Mail`. Nothing in it names a file or URL that
 * would be fetched. Over TLS the server must have a certificate for its name.
 */
export const sendMail: Mail["send"] = async (letter) => {
  const { server: { hostname, port }, address, tls, login, timeoutMs } = letter;
  const transport = createTransport({
    host: address ?? hostname,
    port,
    secure: tls === "on connect",
    ...(tls === "starttls" ? { requireTLS: true } : {}),
    ...(tls === "none" ? { ignoreTLS: true } : {}),
    tls: { servername: hostname },
    // What this machine is called is nobody's business, and to ask for it needs a permission.
    name: "hearsay.invalid",
    ...(login && { auth: { user: login.user, pass: login.password } }),
    ...{ connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs },
    ...{ disableFileAccess: true, disableUrlAccess: true },
  });
  try {
    const { rejected } = await inTime(transport.sendMail(mailOf(letter)), timeoutMs);
    if (rejected.length === 0) return;
    throw new WorldError("other", `the mail server refused ${rejected.length} of the receivers`);
  } catch (error) {
    if (error instanceof WorldError) throw error;
    const { message, code } = error as { message: string; code?: string };
    throw new WorldError(code === "ETIMEDOUT" ? "timed out" : "other", message);
  } finally {
    transport.close();
  }
};

function mailOf({ from, to, subject, text, id, attachments }: Letter) {
  return {
    ...{ from, to: [...to], subject, text, messageId: `<${id}>` },
    attachments: attachments.map(({ name, type, content }) => ({
      ...{ filename: name, contentType: type, content },
      // Lines of JSON are long, and servers may break long lines.
      encoding: "utf-8",
    })),
    ...{ disableFileAccess: true, disableUrlAccess: true },
  };
}

/** Each of the library's own limits is for one step. This one is for all of them. */
async function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new WorldError("timed out", `the mail server took longer than ${timeoutMs} ms`);
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
