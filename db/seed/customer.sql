-- Customers to order as. Names, documents and addresses are made up. Run by the owner of the customers' database, as often as you like:
-- who is there stays as they are.

SET client_encoding = 'UTF8';

-- The fingerprint is the one that CreateCustomer makes, so that creating one of these again with their id answers them.
INSERT INTO customers (id, document, name, birth_date, email, phone, created_fingerprint)
SELECT
    id, document, name, birth_date, email, phone,
    sha256(convert_to(json_build_array(document, name, birth_date, email, phone)::text, 'UTF8'))
FROM (VALUES
    ('0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb'::uuid, '41836570244', 'John Doe', DATE '1990-02-28', 'john.doe@example.com', '+55 11 90000-0000'),
    ('07f162de-f7d2-4097-8f30-ae89ddf8b189', '91034963686', 'Ana Beatriz Souza', '1984-11-05', 'ana.souza@example.com', '+55 11 90000-0001'),
    ('0431188d-e58f-4dc4-95ea-2678abebe235', '96462672706', 'Bruno Carvalho', '1991-03-22', 'bruno.carvalho@example.com', '+55 11 90000-0002'),
    ('4a5f007e-dccc-4f01-bf62-bfc001a7b26d', '76433503020', 'Camila Ferreira', '1978-07-14', 'camila.ferreira@example.com', '+55 11 90000-0003'),
    ('20d2489e-8658-48ec-93aa-42cb543617a9', '87202505410', 'Diego Nascimento', '2000-01-30', 'diego.nascimento@example.com', '+55 11 90000-0004'),
    ('6303eebe-56d1-4a0a-990e-5667551c7573', '63227485648', 'Elisa Monteiro', '1966-09-09', 'elisa.monteiro@example.com', '+55 11 90000-0005'),
    ('33c3e438-456b-4dd7-b329-9df9c0628495', '18810454987', 'Felipe Tavares', '1995-12-12', 'felipe.tavares@example.com', '+55 11 90000-0006'),
    ('20d433fb-d681-44ce-b3fe-3a9487223c46', '37742365693', 'Gabriela Lima', '1988-05-27', 'gabriela.lima@example.com', '+55 11 90000-0007'),
    ('8795bbd0-6a1d-4fd0-ac6b-026a19a91639', '23972718187', 'Heitor Barbosa', '1973-02-18', 'heitor.barbosa@example.com', '+55 11 90000-0008'),
    ('8b753be0-7b31-4765-8cce-382a23245b8f', '59807153808', 'Isabela Rocha', '2003-08-03', 'isabela.rocha@example.com', '+55 11 90000-0009'),
    ('bcee8a4f-a3a1-47ae-92e5-439f75c87091', '35221052490', 'Joaquim Pereira', '1959-06-21', 'joaquim.pereira@example.com', '+55 11 90000-0010')
) AS person (id, document, name, birth_date, email, phone)
ON CONFLICT DO NOTHING;
