"""The training side: studies, training, evaluation, export. The live decoder never imports it."""
