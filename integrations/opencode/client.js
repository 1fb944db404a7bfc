// agent_exec: runs and judges calls by its daemon, for the tools and the guard beside it.

import { createHmac } from "node:crypto"
import { resolve } from "node:path"
import { DaemonError, ifKept, withDaemon, withKept } from "./daemon.js"
import { Live } from "./live.js"
import setup from "./setup.js"

const MOST_SHOWN = 30000

/** The worktree of a call: outside of a repository, opencode says that it is "/". */
export function worktreeOf(context) {
  if (setup.worktree !== null) return setup.worktree
  const { worktree, directory } = context
  return worktree && worktree !== "/" ? worktree : directory
}

/** What the guard is to do with a command of the host's own shell. */
export function judge(context, command, cwd, timeoutMs) {
  const worktree = worktreeOf(context)
  return withDaemon((daemon) =>
    daemon.request("judge", {
      worktree,
      policy: setup.policy,
      command,
      cwd: resolve(context.directory, cwd ?? "."),
      program: setup.program,
      options: ["-p", setup.policy, "-w", worktree],
      timeout_s: typeof timeoutMs === "number" ? timeoutMs / 1000 : null,
    }),
  )
}

/** Run a model's call: decide, ask if the policy says so, run; what opencode wants of a tool. */
export async function run(given, context) {
  const where = { worktree: worktreeOf(context), policy: setup.policy }
  const call = { ...given, cwd: resolve(context.directory, given.cwd || ".") }
  const title = titleOf(given)
  const live = new Live(context, title)
  const watch = { signal: context.abort, onProgress: (progress) => live.add(progress) }
  try {
    return await judgedAndRun(where, call, given, context, watch, title)
  } finally {
    await live.end()
  }
}

async function judgedAndRun(where, call, given, context, watch, title) {
  const { result, decision, question } = await withDaemon(async (daemon, begin) => {
    const decided = await daemon.request("decide", { ...where, arguments: call }, watch)
    if (decided.question !== null) {
      // Before somebody thinks about it in vain.
      await daemon.request("approver", { worktree: where.worktree, asked: false })
      return decided
    }
    if (decided.decision.call?.background) return decided
    begin()
    return { result: await daemon.request("call", { ...where, arguments: call, live: true }, watch) }
  })
  if (result) return shown(result, title)
  if (question !== null) {
    await asked(where, { question, decision }, given, context)
    if (context.abort.aborted) throw new DaemonError("the call was cancelled", "cancelled")
  }
  const background = Boolean(decision.call?.background)
  const more = background ? { part: context.sessionID } : { live: true }
  const run = async (daemon, begin) => {
    if (question === null) {
      begin()
      return daemon.request("call", { ...where, arguments: call, ...more }, watch)
    }
    await daemon.request("approver", { worktree: where.worktree, asked: false })
    begin()
    const answer = { reply: "once" }
    return daemon.request("answer", { ...where, decision, answer, ...more }, watch)
  }
  return shown(await (background ? withKept : withDaemon)(run), title)
}

/** A call of `exec_read`, `exec_write` or `exec_stop`: about the sessions of the same session. */
export async function companion(name, given, context) {
  const fields = { worktree: worktreeOf(context), policy: setup.policy, part: context.sessionID }
  // Again is not twice: what it is about ends with the connection.
  const result = await withKept((daemon) =>
    daemon.request("call", { ...fields, name, arguments: given }, { signal: context.abort }),
  )
  return shown(result, given.session ?? "background sessions")
}

/** What a session of opencode's has left running is ended. */
export async function endSession(sessionID) {
  await ifKept((daemon) => daemon.request("end", { part: sessionID }))
}

/** The user is asked, and has said yes when this returns. */
async function asked(where, { question, decision }, given, context) {
  try {
    await ask(question, decision, given, context)
  } catch (error) {
    // For the audit log; the model is told by opencode.
    const answer = { reply: "never", message: String(error?.feedback ?? error?.message ?? error) }
    await withDaemon(async (daemon) => {
      await daemon.request("approver", { worktree: where.worktree, asked: false })
      await daemon.request("answer", { ...where, decision, answer })
    }).catch(() => {})
    throw error
  }
}

async function ask(question, decision, given, context) {
  const asked = decision.commands.filter((one) => one.of === null && one.verdict === "ask")
  const whole = titleOf(given)
  // What a shell will make of a text is not known word by word.
  const texts = decision.route === "direct" ? asked.map((one) => quoted(one.argv)) : [whole]
  const rest = beside(question, given)
  const patterns = (texts.length ? texts : [whole]).map((text) => text + rest)
  const alone = patterns.length === 1 && patterns[0] === whole + rest
  await context.ask({
    permission: "exec",
    patterns,
    // opencode takes * and ? in what it remembers for patterns.
    always: alone && !/[*?\\]/.test(patterns[0]) ? patterns : [],
    metadata: {
      command: whole,
      cwd: question.cwd,
      because: decision.because,
      effects: asked.flatMap((one) => one.effects),
      justification: given.justification ?? null,
      call: decision.call,
    },
  })
}

/** What a call has beside its words, so that "always" covers no other than the one shown. */
function beside(question, given) {
  const found = []
  if (question.cwd !== question.worktree) found.push(`cwd ${question.cwd}`)
  for (const { name, value } of given.env ?? []) found.push(`env ${name}=${value}`)
  if (given.stdin) found.push(`stdin ${createHmac("sha256", "").update(given.stdin).digest("hex")}`)
  if (given.stdout_file) found.push(`${given.append ? ">>" : ">"} ${given.stdout_file}`)
  return found.length ? ` (${found.join(", ")})` : ""
}

function shown(result, title) {
  // A refusal is an error to opencode; the model reads the text.
  if (result.ended === "refused") throw new Error(result.text)
  const { text, ...rest } = result
  return {
    title,
    output: text,
    metadata: { output: text.slice(0, MOST_SHOWN), exit: result.status, result: rest },
  }
}

/** The call in one line. */
function titleOf(given) {
  if (given.command) return given.command
  const stages = given.pipeline?.length ? given.pipeline : [given.argv ?? []]
  return stages.map((argv) => (Array.isArray(argv) ? quoted(argv) : String(argv))).join(" | ")
}

function quoted(argv) {
  return argv
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${String(word).replaceAll("'", `'"'"'`)}'`))
    .join(" ")
}
