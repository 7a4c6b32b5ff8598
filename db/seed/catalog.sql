-- Records worth looking at. Run by the owner of the catalog's database, as often as you like: what is there stays as it is.

SET client_encoding = 'UTF8';

-- The fingerprint is the one that CreateDisc makes, so that creating one of these again with its id answers it.
INSERT INTO discs (id, name, artist, year_of_release, genre, price_cents, opening_stock, stock, created_fingerprint)
SELECT
    id, name, artist, year_of_release, genre, price_cents, opening_stock, opening_stock,
    sha256(convert_to(json_build_array(name, artist, year_of_release, genre, price_cents, opening_stock)::text, 'UTF8'))
FROM (VALUES
    ('bcd8a0e9-dc0a-4ae7-a783-458542e2cc39'::uuid, 'We are Reactive', 'Hohpe', 2022, 'Indie', 2999::bigint, 500::bigint),
    ('3bb427c1-a1da-459d-aad1-245c92010b38', 'Kind of Blue', 'Miles Davis', 1959, 'Jazz', 2499, 120),
    ('e40c2fc4-e158-4b57-a6e0-4b647a9d9691', 'Time Out', 'The Dave Brubeck Quartet', 1959, 'Jazz', 3499, 25),
    ('e7bb3348-a6d7-467b-baae-db9e2fbf4968', 'Chega de Saudade', 'João Gilberto', 1959, 'Bossa Nova', 3499, 30),
    ('873c7488-afe0-419a-b758-bfe8522cbe7b', 'Blue Train', 'John Coltrane', 1958, 'Jazz', 3299, 20),
    ('a2b7fb29-ac44-4da3-b18d-394c483e8ef5', 'Getz/Gilberto', 'Stan Getz & João Gilberto', 1964, 'Bossa Nova', 2499, 2),
    ('7f00725a-84ab-4ccb-8f2b-a00c69ecc762', 'A Love Supreme', 'John Coltrane', 1965, 'Jazz', 1499, 200),
    ('bc60f7ba-dc1e-480d-9b8a-7945be3ac93d', 'Pet Sounds', 'The Beach Boys', 1966, 'Pop', 2999, 40),
    ('ed906531-47cd-4d4f-98b9-fb81d0b384fe', 'Revolver', 'The Beatles', 1966, 'Rock', 3499, 12),
    ('1e04932b-3ee0-4132-ae6d-1fc1c3c75de0', 'The Velvet Underground & Nico', 'The Velvet Underground & Nico', 1967, 'Art Rock', 1499, 0),
    ('48d11107-e33d-4470-bae2-bfdd51be7809', 'Abbey Road', 'The Beatles', 1969, 'Rock', 1799, 5),
    ('a74c860b-1f88-4997-9da8-3437bff425b1', 'Blue', 'Joni Mitchell', 1971, 'Folk', 2199, 12),
    ('01a1a742-51f2-4f08-85d0-0e5783467001', 'Construção', 'Chico Buarque', 1971, 'MPB', 3499, 12),
    ('64eae892-8e17-4149-8de9-658aa893a8b8', 'What''s Going On', 'Marvin Gaye', 1971, 'Soul', 1999, 15),
    ('086d17e3-e112-4702-9c2e-85feaffa2c63', 'Acabou Chorare', 'Novos Baianos', 1972, 'MPB', 4499, 12),
    ('da20bde6-8f45-4969-aed4-d9ecbf539e01', 'Clube da Esquina', 'Milton Nascimento & Lô Borges', 1972, 'MPB', 1799, 2),
    ('cee39a6a-1ea1-4029-97e0-3afc26218ffd', 'Transa', 'Caetano Veloso', 1972, 'MPB', 1499, 12),
    ('592189b2-4680-4535-a8f5-24d90ebeaedf', 'Head Hunters', 'Herbie Hancock', 1973, 'Jazz Fusion', 2199, 0),
    ('a75ac65c-ad41-43dc-b15d-db1cddf8f810', 'The Dark Side of the Moon', 'Pink Floyd', 1973, 'Progressive Rock', 3299, 15),
    ('5ba9e5bf-ca2a-411b-b936-00a699004c4a', 'Autobahn', 'Kraftwerk', 1974, 'Electronic', 3499, 30),
    ('4ed984c1-dc66-41ab-8900-5322744b5534', 'Horses', 'Patti Smith', 1975, 'Punk', 1799, 20),
    ('6111376f-6138-40c8-bb2e-0769027b723e', 'África Brasil', 'Jorge Ben', 1976, 'Samba Rock', 2799, 80),
    ('3e690163-df6b-49c5-aae8-d0b51c69f578', 'Exodus', 'Bob Marley & The Wailers', 1977, 'Reggae', 3499, 1),
    ('50b98a3d-b918-4714-b18f-9969a27b61b0', 'Low', 'David Bowie', 1977, 'Art Rock', 1999, 120),
    ('9cbd3fac-bab7-4ffc-beb4-5d39e8ebe149', 'Rumours', 'Fleetwood Mac', 1977, 'Rock', 1499, 20),
    ('9a0b75d7-e2b4-4809-9664-36a5b0da6729', 'London Calling', 'The Clash', 1979, 'Punk', 2499, 200),
    ('f262890d-6c0c-47c8-879c-3a5d7672c9ba', 'Unknown Pleasures', 'Joy Division', 1979, 'Post-Punk', 2999, 25),
    ('9f45adc8-e061-45a0-b8f7-733042b5c7bd', 'Remain in Light', 'Talking Heads', 1980, 'New Wave', 3299, 80),
    ('65a8f389-c250-420a-8541-9d0763482f04', 'Thriller', 'Michael Jackson', 1982, 'Pop', 2799, 12),
    ('2f6d5eef-f543-402b-9b06-53842aeb4c10', 'Purple Rain', 'Prince and The Revolution', 1984, 'Pop', 2799, 200),
    ('e85cf206-4942-4482-b3cd-d6a59f3c9ee3', 'Master of Puppets', 'Metallica', 1986, 'Metal', 1999, 30),
    ('5a84a0e6-f752-499b-b961-eb18c2baa697', 'It Takes a Nation of Millions to Hold Us Back', 'Public Enemy', 1988, 'Hip-Hop', 2999, 120),
    ('55b7773d-cf3f-45ee-ae46-9d416f189c15', 'Loveless', 'My Bloody Valentine', 1991, 'Shoegaze', 4499, 0),
    ('dc9f8399-c01f-4dcc-9e47-b2adde734752', 'Nevermind', 'Nirvana', 1991, 'Grunge', 4499, 30),
    ('bf2ed9ac-d9aa-457c-88eb-1fbc82ee3240', 'Da Lama ao Caos', 'Chico Science & Nação Zumbi', 1994, 'Manguebeat', 1499, 40),
    ('cc082cd9-1799-4a39-bb0a-5b0a3a58b94e', 'Dummy', 'Portishead', 1994, 'Trip-Hop', 3999, 8),
    ('32d95725-1e0e-4754-92af-8dbe1403ffa9', 'Illmatic', 'Nas', 1994, 'Hip-Hop', 2199, 120),
    ('124dfa06-9be4-46bb-b339-b6a632f5a770', 'Buena Vista Social Club', 'Buena Vista Social Club', 1997, 'Son Cubano', 4499, 2),
    ('6f4d482c-92db-4fb2-82d2-5eeec5a3d2db', 'Homogenic', 'Björk', 1997, 'Electronic', 4499, 25),
    ('f0696be2-dbcb-497f-81bc-5caf5f15650a', 'OK Computer', 'Radiohead', 1997, 'Alternative Rock', 2999, 3),
    ('d057139a-16d3-4b6e-aaa6-f34505ef1e5c', 'The Miseducation of Lauryn Hill', 'Lauryn Hill', 1998, 'R&B', 1999, 120),
    ('0554b787-c7ca-4666-8a28-d33674fd3670', 'Discovery', 'Daft Punk', 2001, 'Electronic', 2199, 30),
    ('ad004b3e-3a5f-497f-8e75-aa88ca9b9a4a', 'Funeral', 'Arcade Fire', 2004, 'Indie', 2799, 2),
    ('e4852b20-cca1-4dcf-96b7-09435dd2b848', 'Back to Black', 'Amy Winehouse', 2006, 'Soul', 3299, 60)
) AS record (id, name, artist, year_of_release, genre, price_cents, opening_stock)
ON CONFLICT (id) DO NOTHING;
