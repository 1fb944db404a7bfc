// Plays opencode for the files of a project: loads them, and calls them as it is told.
//
// A line of stdin: {"call": tool, "args", "session"}, {"guard": tool, "args"}, {"event": type,
// "properties"}, {"reply": null or message} to the question that was asked last, or {"abort":
// true}. A line of stdout: {"ask"}, {"metadata"}, {"result"}, {"error"}, {"done"} (of an event) or
// {"args"} (of a guard that let it pass).

import { createInterface } from "node:readline"

const folder = `${process.cwd()}/.opencode`
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)
let aborted
let answer

const context = (sessionID = "ses_1") => {
  aborted = new AbortController()
  return {
    sessionID,
    directory: process.argv[2] ?? process.cwd(),
    worktree: process.argv[3] ?? process.cwd(),
    abort: aborted.signal,
    metadata: (metadata) => say({ metadata }),
    ask: (ask) =>
      new Promise((fulfil, fail) => {
        answer = (message) => (message === null ? fulfil() : fail(new Error(message)))
        say({ ask })
      }),
  }
}

// What a file exports has its name, and that of the export unless it is the default.
async function call(tool, args, session) {
  const [file, name = "default"] = tool.split("_")
  const made = (await import(`${folder}/tools/${file}.js`))[name]
  return { result: await made.execute(args, context(session)) }
}

const hooks = async () =>
  (await import(`${folder}/plugins/agent_exec.js`)).AgentExec(context())

async function event(type, properties) {
  await (await hooks()).event({ event: { type, properties } })
  return { done: type }
}

async function guard(tool, args) {
  await (await hooks())["tool.execute.before"]({ tool }, { args })
  return { args }
}

for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line)
  if (told.abort) aborted.abort()
  else if ("reply" in told) answer(told.reply)
  else {
    const started = () => {
      if (told.call) return call(told.call, told.args, told.session)
      return told.event ? event(told.event, told.properties) : guard(told.guard, told.args)
    }
    started().then(say, (error) => say({ error: error.message, code: error.code ?? null }))
  }
}
