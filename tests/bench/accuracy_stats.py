"""Figures of a filter of spam, from scores of ham and of spam. Pure: numbers in, numbers out."""
import numpy

RESAMPLES = 400
INTERVAL = 2.5, 97.5  # percentiles


def share_from(scores, threshold):
    """Share at or above a threshold."""
    return float(numpy.mean(scores >= threshold)) if len(scores) else 0.0


def recall_at(ham, spam, share):
    """Share of spam above the lowest threshold that no more than `share` of ham lies above."""
    allowed = int(share * len(ham))
    threshold = numpy.sort(ham)[::-1][allowed] if allowed < len(ham) else -numpy.inf
    return float(numpy.mean(spam > threshold))


def auc(ham, spam):
    """Chance that spam scores above ham; half a chance where they tie."""
    ordered = numpy.sort(ham)
    below, up_to = numpy.searchsorted(ordered, spam, "left"), numpy.searchsorted(ordered, spam, "right")
    return float(numpy.mean(below + up_to) / 2 / len(ham))


def interval(figure, ham, spam, seed=1):
    """95 % of what the figure is when ham and spam are drawn anew from themselves."""
    draw = numpy.random.default_rng(seed)
    values = [figure(draw.choice(ham, len(ham)), draw.choice(spam, len(spam))) for _ in range(RESAMPLES)]
    return tuple(float(v) for v in numpy.percentile(values, INTERVAL))


def figures(ham, spam, threshold, shares):
    """{name: (value, low, high)} of one system on one corpus."""
    ham, spam = numpy.asarray(ham, float), numpy.asarray(spam, float)
    wanted = {"false_positives": lambda h, s: share_from(h, threshold), "recall": lambda h, s: share_from(s, threshold),
              "auc": auc}
    for share in shares:
        wanted[f"recall_at_{100 * share:g}"] = lambda h, s, at=share: recall_at(h, s, at)
    return {name: (figure(ham, spam), *interval(figure, ham, spam)) for name, figure in wanted.items()}
