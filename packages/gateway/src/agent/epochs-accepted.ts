/** Keys are rotated by counting an epoch up: what the previous one signed is accepted until the next. */
export const epochsAccepted = (epoch: number): readonly number[] => (epoch > 0 ? [epoch, epoch - 1] : [epoch])
