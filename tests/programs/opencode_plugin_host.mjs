// Plays opencode for the files of a project: loads them, and calls them as it is told.
//
// A line of stdin: {"call": tool, "args"}, {"guard": tool, "args"}, {"reply": null or message} to
// the question that was asked last, or {"abort": true}. A line of stdout: {"ask"}, {"metadata"},
// {"result"}, {"error"} or {"args"} (of a guard that let it pass).

import { createInterface } from "node:readline"

const folder = `${process.cwd()}/.opencode`
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)
let aborted
let answer

const context = () => {
  aborted = new AbortController()
  return {
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

async function call(tool, args) {
  const made = (await import(`${folder}/tools/${tool}.js`)).default
  return { result: await made.execute(args, context()) }
}

async function guard(tool, args) {
  const { AgentExec } = await import(`${folder}/plugins/agent_exec.js`)
  const hooks = await AgentExec(context())
  await hooks["tool.execute.before"]({ tool }, { args })
  return { args }
}

for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line)
  if (told.abort) aborted.abort()
  else if ("reply" in told) answer(told.reply)
  else {
    const done = told.call ? call(told.call, told.args) : guard(told.guard, told.args)
    done.then(say, (error) => say({ error: error.message, code: error.code ?? null }))
  }
}
