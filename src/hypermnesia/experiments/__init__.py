"""Experiments: settings in, a run directory with measurements out.

`config.load` reads the settings, `build.build_tasks` makes the tasks, and `run.run` carries the experiment out
in a `rundir.RunDirectory`. Nothing is imported here, so that `hypermnesia presets` need not wait for torch.
"""
