// agent_exec: the tool `exec`. `agent-exec opencode uninstall` removes it.

import { run } from "../agent_exec/client.js"
import setup from "../agent_exec/setup.js"

export default {
  description: setup.description,
  args: setup.args,
  execute: (args, context) => run(args, context),
}
