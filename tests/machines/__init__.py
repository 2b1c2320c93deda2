"""Whole machines: Debian 12 and 13 with their own systemd, booted by systemd-nspawn on networks that
lead nowhere. `Machine` is one of them, `MachineStack` a mail host the story can be played on."""
