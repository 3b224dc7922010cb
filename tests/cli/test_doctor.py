import json


def test_the_command_tells_it_in_lines_or_as_json(call, tmp_path):
    code, out, err = call("doctor", "--data", tmp_path)
    assert (code, err) == (0, "")
    assert "extras:" in out.splitlines() and "\n  cli: installed (" in out
    code, out, err = call("doctor", "--data", tmp_path, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["data"]["digits"] == "whole"
