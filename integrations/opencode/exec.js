// agent_exec: the tool `exec`, and `exec_read`, `exec_write` and `exec_stop` for what it leaves
// running. `agent-exec opencode uninstall` removes it.

import { companion, run } from "../agent_exec/client.js"
import setup from "../agent_exec/setup.js"

const served = (name) => ({
  ...setup.tools[name],
  execute: (args, context) => companion(name, args, context),
})

export default { ...setup.tools.exec, execute: run }
// opencode puts the name of the file before theirs.
export const read = served("exec_read")
export const write = served("exec_write")
export const stop = served("exec_stop")
