"""Experiments: settings in, a run directory with measurements out.

`settings.config.load` reads the settings, `settings.build.build_tasks` makes the tasks, and `single_run.run.run`
carries the experiment out in a `single_run.rundir.RunDirectory`. Nothing is imported here, so that `hypermnesia
presets` need not wait for torch.
"""
