// agent_exec: stands in for the built-in `bash`. `agent-exec opencode uninstall` removes it.

import { run } from "../agent_exec/client.js"

const nullable = (type, description) => ({ anyOf: [{ type }, { type: "null" }], description })

export default {
  description:
    "Runs shell text and returns what it printed and how it ended. It runs without a shell where " +
    "that is exactly the same, and by bash elsewhere. A policy decides what may run; a refusal " +
    "says why and what to do instead.",
  args: {
    command: { type: "string", description: 'Shell text: "cd src && ls *.py".' },
    timeout: nullable("integer", "Milliseconds until it is ended."),
    workdir: nullable("string", "Directory to run it in. Default: that of the session."),
  },
  execute: ({ command, timeout, workdir }, context) =>
    run({ command, timeout_ms: timeout ?? null, cwd: workdir ?? null }, context),
}
