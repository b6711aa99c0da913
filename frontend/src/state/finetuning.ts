/** Fine-tuning of the extractor, as the server tells it. */
export interface FinetuningOffer {
  readonly checkpoint_id: number;
  readonly held_out_loss: number;
  readonly held_out_accuracy: number;
  readonly frozen_loss: number;
  readonly frozen_accuracy: number;
  readonly n_samples: number;
  readonly n_images: number;
}

export interface Finetuning {
  readonly available: boolean;
  /** Why the extractor cannot be fine-tuned, and what to do. */
  readonly reason: string | null;
  readonly adopted: boolean;
  readonly offer: FinetuningOffer | null;
}
