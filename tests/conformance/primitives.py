"""Single calculations, as quotes and through feira.money."""

from vocabulary import Inexpressible


def run(primitive, folder):
    raise Inexpressible(f'the operation {primitive["op"]}')
