"""Fine-tuning of the extractor by an adapter (LoRA), in a process of its own; docs/finetuning.md."""
