"""The recipe of the bundled model, from public-domain books to a folder that any tool loads.

Six commands, each ``python -m longread.pocket.train.NAME --help``:

    tokenizer   learn the vocabulary
    data        encode the corpus into rows of tokens
    run         train; stop it or kill it whenever you like, the same command goes on
    export      write the model's folder
    evaluate    measure a model's folder, and fill in its card
    sinks       what a learned sink is worth: the same recipe with it and without

Nobody in the program imports this. ``run`` needs torch, numpy and safetensors and nothing else, so that it
works on a machine without a package index; docs/training.md tells the whole story.
"""
