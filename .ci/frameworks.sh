# The adapters, each with its own framework.

FRAMEWORKS=pydantic-ai,openai-agents,langchain,deepagents,autogen,inspect-ai,agent-framework,ag2
FRAMEWORK_TESTS=(tests/integrations/test_{pydantic_ai,openai_agents,openai_sandbox}.py
    tests/integrations/test_{langchain,langchain_shell,deepagents}.py
    tests/integrations/test_{autogen,inspect_ai,agent_framework,ag2,extra}.py)

stage_frameworks() {
    make_env frameworks "$MAIN_PYTHON" "${WHEEL}[test,$FRAMEWORKS]" "autogen-agentchat>=0.7.5,<0.8"
    # Here nothing may skip at all. Warnings in packages of others are theirs.
    MUST_WORK=all run_pytest frameworks 900 -W default "${FRAMEWORK_TESTS[@]}" \
        tests/docs/test_examples.py -k "framework or not examples"
}
